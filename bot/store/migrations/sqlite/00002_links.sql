-- +goose Up
-- Who has proved to be which GitHub account.
CREATE TABLE links (
    workspace TEXT NOT NULL,
    person    TEXT NOT NULL,              -- ID in the workspace
    github    BIGINT NOT NULL UNIQUE,     -- numeric ID: logins can be renamed
    login     TEXT NOT NULL,              -- as it was then
    at        BIGINT NOT NULL,
    how       TEXT NOT NULL,
    PRIMARY KEY (workspace, person)
);

-- What was taken already: what arrives twice is done once.
CREATE TABLE taken (
    origin TEXT PRIMARY KEY,
    at     BIGINT NOT NULL
);
CREATE INDEX taken_at ON taken (at);

ALTER TABLE events ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE INDEX events_kind ON events (kind, seq);
