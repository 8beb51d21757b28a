-- +goose Up
-- So that what was done lately is found without reading all that ever was.
CREATE INDEX IF NOT EXISTS requests_operation ON requests (operation, created_at);

-- A digest of the GitHub token that stands in a process's environment; '' is none.
ALTER TABLE processes ADD COLUMN token TEXT NOT NULL DEFAULT '';
