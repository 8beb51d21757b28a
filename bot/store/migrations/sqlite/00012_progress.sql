-- Where the planning of a request stands changes every few seconds, and without the rest of it.

-- +goose Up
ALTER TABLE requests ADD COLUMN progress TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE requests DROP COLUMN progress;
