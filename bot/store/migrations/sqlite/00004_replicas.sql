-- +goose Up
-- When somebody should have looked at it at the latest: what is left lying longer was lost by who had it.
ALTER TABLE requests ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE clicks ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0;

-- What tells a click from every other; '' is nothing.
ALTER TABLE clicks ADD COLUMN origin TEXT NOT NULL DEFAULT '';

-- The GitHub login of who asked, in lower case.
ALTER TABLE requests ADD COLUMN asked_by TEXT NOT NULL DEFAULT '';
UPDATE requests SET asked_by = lower(COALESCE(body ->> 'by', ''));
CREATE INDEX requests_asked_by ON requests (asked_by, created_at);
CREATE INDEX requests_newest ON requests (created_at);

-- The process that can answer best, for it was told where to; '' is any.
ALTER TABLE messages ADD COLUMN taker TEXT NOT NULL DEFAULT '';

-- What only one process may do at a time.
CREATE TABLE duties (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    till   BIGINT NOT NULL
);

-- What must not be called before a time.
CREATE TABLE holds (
    what TEXT PRIMARY KEY,
    till BIGINT NOT NULL
);

DROP INDEX messages_unsent;
CREATE INDEX messages_waiting ON messages (thread, id) WHERE sent_at IS NULL AND dead = '';
CREATE INDEX messages_dead ON messages (id) WHERE dead <> '';
