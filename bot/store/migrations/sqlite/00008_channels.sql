-- +goose Up
-- The channels that the settings name, as they were found: from then on they are asked for by ID.
CREATE TABLE channels (
    workspace TEXT NOT NULL,
    name      TEXT NOT NULL,    -- as the settings write it: a name without #, or an ID
    id        TEXT NOT NULL,
    title     TEXT NOT NULL,    -- what the chat called it last
    found_at  BIGINT NOT NULL,  -- microseconds since 1970: when title was seen first
    PRIMARY KEY (workspace, name)
);
