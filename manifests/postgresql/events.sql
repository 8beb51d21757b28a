-- An example of the rights that keep rootbot from changing its own audit on PostgreSQL: its role can add events and read
-- them, and neither change nor delete any, nor make itself able to.
--
--   psql --dbname rootbot --set bot=rootbot --set keeper=rootbot_keeper --file events.sql
--
-- Run it as a superuser once rootbot has made its tables, and again after a version that says so. bot is the role that
-- rootbot signs in with; keeper is one that nobody signs in with, and owns the audit from now on. Neither may be a
-- superuser, and the bot must not be a member of the keeper.
\set ON_ERROR_STOP on
BEGIN;

-- Who owns a database or a schema can drop what is in it, and who owns a table can do everything to it.
SELECT format('ALTER DATABASE %I OWNER TO %I', current_database(), :'keeper') \gexec
ALTER SCHEMA public OWNER TO :"keeper";
ALTER TABLE events OWNER TO :"keeper";
SELECT format('REVOKE %I FROM %I', :'keeper', :'bot')
 WHERE pg_has_role(:'bot', :'keeper', 'MEMBER') \gexec

-- rootbot still makes and changes its other tables.
GRANT USAGE, CREATE ON SCHEMA public TO :"bot";
REVOKE ALL ON events FROM PUBLIC, :"bot";
GRANT SELECT, INSERT ON events TO :"bot";

-- What the rights above forget, these refuse.
CREATE OR REPLACE FUNCTION events_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are only ever added';
END $$;
ALTER FUNCTION events_are_kept() OWNER TO :"keeper";
DROP TRIGGER IF EXISTS events_are_kept ON events;
CREATE TRIGGER events_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_are_kept();

COMMIT;
