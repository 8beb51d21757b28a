-- +goose Up
-- The processes that work in the database, and what each of them can judge.
CREATE TABLE processes (
    id         TEXT PRIMARY KEY,
    front      TEXT NOT NULL,   -- the front end that it has; '' is any
    operations TEXT NOT NULL,   -- JSON: the operations that it offers, with the digest of each one's settings
    carries    TEXT NOT NULL,   -- the only request that it carries on; '' is any
    beat_at    BIGINT NOT NULL, -- when it last said that it lives
    stopped_at BIGINT           -- when it was stopped in its turn; NULL: it wasn't
);
