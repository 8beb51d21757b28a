-- +goose Up
-- A link to the account of a member counts once another member has confirmed it: see SQLite's migration 10 for what the columns mean.
ALTER TABLE links ADD COLUMN asked_at BIGINT;
ALTER TABLE links ADD COLUMN told_at BIGINT;
ALTER TABLE links ADD COLUMN confirmed_at BIGINT;
ALTER TABLE links ADD COLUMN confirmed_by TEXT NOT NULL DEFAULT '';

-- What stands at the upgrade goes on to count.
UPDATE links SET confirmed_at = at, confirmed_by = 'upgrade';
