-- +goose Up
-- The tables as SQLite's migrations 1 to 4 leave them: see there for what they mean. Times are microseconds since 1970.
CREATE TABLE requests (
    id          TEXT PRIMARY KEY,
    operation   TEXT NOT NULL,
    state       TEXT NOT NULL,
    version     BIGINT NOT NULL,
    card        TEXT NOT NULL,
    held        TEXT NOT NULL,
    body        TEXT NOT NULL,
    plan        TEXT,
    created_at  BIGINT NOT NULL,
    ended_at    BIGINT,
    carrier     BIGINT NOT NULL DEFAULT 0,
    leased_till BIGINT NOT NULL DEFAULT 0,
    due_at      BIGINT NOT NULL DEFAULT 0,
    asked_by    TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX requests_held ON requests (held) WHERE held <> '' AND ended_at IS NULL;
CREATE INDEX requests_card ON requests (card);
CREATE INDEX requests_unfinished ON requests (created_at) WHERE ended_at IS NULL;
CREATE INDEX requests_asked_by ON requests (asked_by, created_at);
CREATE INDEX requests_newest ON requests (created_at);

CREATE TABLE memory (
    request TEXT NOT NULL REFERENCES requests (id),
    key     TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (request, key)
);

CREATE TABLE clicks (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request TEXT NOT NULL,
    verb    TEXT NOT NULL,
    body    TEXT NOT NULL,
    at      BIGINT NOT NULL,
    done_at BIGINT,
    due_at  BIGINT NOT NULL DEFAULT 0,
    origin  TEXT NOT NULL DEFAULT ''
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
    seq     BIGINT PRIMARY KEY,
    at      BIGINT NOT NULL,
    request TEXT NOT NULL,
    kind    TEXT NOT NULL,
    by      TEXT NOT NULL,
    data    TEXT NOT NULL,
    hash    TEXT NOT NULL
);
CREATE INDEX events_request ON events (request, seq);
CREATE INDEX events_kind ON events (kind, seq);

CREATE TABLE messages (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    thread     TEXT NOT NULL,
    request    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    tries      BIGINT NOT NULL DEFAULT 0,
    sent_at    BIGINT,
    dead       TEXT NOT NULL DEFAULT '',
    taker      TEXT NOT NULL DEFAULT ''
);
CREATE INDEX messages_waiting ON messages (thread, id) WHERE sent_at IS NULL AND dead = '';
CREATE INDEX messages_dead ON messages (id) WHERE dead <> '';

CREATE TABLE posts (
    thread  TEXT NOT NULL,
    place   TEXT NOT NULL,
    channel TEXT NOT NULL,
    ts      TEXT NOT NULL,
    PRIMARY KEY (thread, place)
);

CREATE TABLE links (
    workspace TEXT NOT NULL,
    person    TEXT NOT NULL,
    github    BIGINT NOT NULL UNIQUE,
    login     TEXT NOT NULL,
    at        BIGINT NOT NULL,
    how       TEXT NOT NULL,
    PRIMARY KEY (workspace, person)
);

CREATE TABLE taken (
    origin TEXT PRIMARY KEY,
    at     BIGINT NOT NULL
);
CREATE INDEX taken_at ON taken (at);

CREATE TABLE duties (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    till   BIGINT NOT NULL
);

CREATE TABLE holds (
    what TEXT PRIMARY KEY,
    till BIGINT NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION events_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.seq <= (SELECT MAX(seq) FROM events) THEN
            RAISE EXCEPTION 'events are only added at the end';
        END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'events are never changed or deleted';
END $$;
-- +goose StatementEnd
CREATE TRIGGER events_insert BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION events_only_grow();
CREATE TRIGGER events_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events FOR EACH STATEMENT EXECUTE FUNCTION events_only_grow();
