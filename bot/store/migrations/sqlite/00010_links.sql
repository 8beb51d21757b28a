-- +goose Up
-- A link to the account of a member counts once another member has confirmed it. Times are microseconds since 1970.
-- asked_at: the log channel was to be told; told_at: it was; confirmed_by: a login, or who else, see Link.ConfirmedBy.
ALTER TABLE links ADD COLUMN asked_at BIGINT;
ALTER TABLE links ADD COLUMN told_at BIGINT;
ALTER TABLE links ADD COLUMN confirmed_at BIGINT;
ALTER TABLE links ADD COLUMN confirmed_by TEXT NOT NULL DEFAULT '';

-- What stands at the upgrade goes on to count.
UPDATE links SET confirmed_at = at, confirmed_by = 'upgrade';
