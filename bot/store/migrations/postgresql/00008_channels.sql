-- +goose Up
-- The channels that the settings name: see SQLite's migration 8 for what the columns mean.
CREATE TABLE channels (
    workspace TEXT NOT NULL,
    name      TEXT NOT NULL,
    id        TEXT NOT NULL,
    title     TEXT NOT NULL,
    found_at  BIGINT NOT NULL,
    PRIMARY KEY (workspace, name)
);
