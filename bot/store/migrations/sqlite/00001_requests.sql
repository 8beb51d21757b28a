-- +goose Up
-- Times are microseconds since 1970 in UTC; NULL is "not yet".
CREATE TABLE requests (
    id          TEXT PRIMARY KEY,
    operation   TEXT NOT NULL,
    state       TEXT NOT NULL,
    version     BIGINT NOT NULL,
    card        TEXT NOT NULL,            -- the request whose card shows this one; itself, or the first of its group
    held        TEXT NOT NULL,            -- what no other unfinished request may hold; '' is nothing
    body        TEXT NOT NULL,            -- JSON: the rest of store.Request
    plan        TEXT,                     -- JSON: ops.Plan
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    carrier     BIGINT NOT NULL DEFAULT 0, -- the River job that carries the request on
    leased_till BIGINT NOT NULL DEFAULT 0  -- somebody is at work on it
);
CREATE UNIQUE INDEX requests_held ON requests (held) WHERE held <> '' AND ended_at IS NULL;
CREATE INDEX requests_card ON requests (card);
CREATE INDEX requests_unfinished ON requests (created_at) WHERE ended_at IS NULL;

CREATE TABLE memory (
    request TEXT NOT NULL REFERENCES requests (id),
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (request, key)
);

CREATE TABLE clicks (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    request TEXT NOT NULL,
    verb    TEXT NOT NULL,
    body    TEXT NOT NULL,                -- JSON: the rest of store.Click
    at      BIGINT NOT NULL,
    done_at BIGINT
);
CREATE INDEX clicks_waiting ON clicks (id) WHERE done_at IS NULL;

CREATE TABLE lines (
    request TEXT NOT NULL REFERENCES requests (id),
    seq     BIGINT NOT NULL,
    key     TEXT NOT NULL,
    at      BIGINT NOT NULL,
    level   TEXT NOT NULL,
    text    TEXT NOT NULL,
    PRIMARY KEY (request, seq)
);
CREATE UNIQUE INDEX lines_key ON lines (request, key);

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at      BIGINT NOT NULL,
    request TEXT NOT NULL,
    kind    TEXT NOT NULL,
    by      TEXT NOT NULL,
    data    TEXT NOT NULL
);
CREATE INDEX events_request ON events (request, seq);

CREATE TABLE messages (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    thread     TEXT NOT NULL,             -- messages of one thread are delivered in order
    request    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    body       TEXT NOT NULL,             -- JSON: store.Body
    created_at BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    tries      BIGINT NOT NULL DEFAULT 0,
    sent_at    BIGINT,
    dead       TEXT NOT NULL DEFAULT ''   -- why it can't be delivered
);
CREATE INDEX messages_unsent ON messages (id) WHERE sent_at IS NULL AND dead = '';

CREATE TABLE posts (
    thread  TEXT NOT NULL,
    place   TEXT NOT NULL,
    channel TEXT NOT NULL,
    ts      TEXT NOT NULL,
    PRIMARY KEY (thread, place)
);
