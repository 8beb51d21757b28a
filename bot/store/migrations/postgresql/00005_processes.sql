-- +goose Up
-- The processes that work in the database: see SQLite's migration 5 for what the columns mean.
CREATE TABLE processes (
    id         TEXT PRIMARY KEY,
    front      TEXT NOT NULL,
    operations TEXT NOT NULL,
    carries    TEXT NOT NULL,
    beat_at    BIGINT NOT NULL,
    stopped_at BIGINT
);
