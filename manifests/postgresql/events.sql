-- An example of the rights that keep rootbot from changing its own audit on PostgreSQL: its role can add events and read
-- them, and neither change nor delete any, nor make itself able to.
--
--   psql --dbname rootbot --set bot=rootbot --set keeper=rootbot_keeper --file events.sql
--
-- Stop rootbot, run this as a superuser once rootbot has made its tables, and start it again; the same after a version
-- that says so. bot is the role that rootbot signs in with; keeper is one that nobody signs in with, and owns the audit
-- from now on. Neither may be a superuser, and the bot must not be a member of the keeper.
--
-- The events move to a schema of their own, rootbot_audit, in which the bot can make nothing: neither a function that
-- passes for a trigger's, nor a table that passes for the events. rootbot finds them there by itself.
\set ON_ERROR_STOP on
BEGIN;

-- Who owns a database or a schema can drop what is in it, and who owns a table can do everything to it.
SELECT format('ALTER DATABASE %I OWNER TO %I', current_database(), :'keeper') \gexec
ALTER SCHEMA public OWNER TO :"keeper";
CREATE SCHEMA IF NOT EXISTS rootbot_audit;
ALTER SCHEMA rootbot_audit OWNER TO :"keeper";
REVOKE ALL ON SCHEMA rootbot_audit FROM PUBLIC, :"bot";
GRANT USAGE ON SCHEMA rootbot_audit TO :"bot";
SELECT 'ALTER TABLE public.events SET SCHEMA rootbot_audit'
 WHERE to_regclass('rootbot_audit.events') IS NULL \gexec
ALTER TABLE rootbot_audit.events OWNER TO :"keeper";
SELECT format('REVOKE %I FROM %I', :'keeper', :'bot')
 WHERE pg_has_role(:'bot', :'keeper', 'MEMBER') \gexec
-- For who looks at the events by hand, and for rootbot's older versions.
SELECT format('ALTER DATABASE %I SET search_path = "$user", public, rootbot_audit', current_database()) \gexec

-- rootbot still makes and changes its other tables.
GRANT USAGE, CREATE ON SCHEMA public TO :"bot";
REVOKE ALL ON rootbot_audit.events FROM PUBLIC, :"bot";
GRANT SELECT, INSERT ON rootbot_audit.events TO :"bot";

-- What made the table grow only was the bot's to change: triggers that are the keeper's take the place of all that
-- stand there, and no rule is left.
SELECT format('DROP TRIGGER %I ON rootbot_audit.events', tgname)
  FROM pg_trigger WHERE tgrelid = 'rootbot_audit.events'::regclass AND NOT tgisinternal \gexec
SELECT format('DROP RULE %I ON rootbot_audit.events', rulename)
  FROM pg_rewrite WHERE ev_class = 'rootbot_audit.events'::regclass \gexec

CREATE OR REPLACE FUNCTION rootbot_audit.events_only_grow() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.seq <= (SELECT max(seq) FROM rootbot_audit.events) THEN
        RAISE EXCEPTION 'events are only added at the end';
    END IF;
    RETURN NEW;
END $$;
ALTER FUNCTION rootbot_audit.events_only_grow() OWNER TO :"keeper";
CREATE TRIGGER events_insert BEFORE INSERT ON rootbot_audit.events
    FOR EACH ROW EXECUTE FUNCTION rootbot_audit.events_only_grow();

-- What the rights above forget, this refuses.
CREATE OR REPLACE FUNCTION rootbot_audit.events_are_kept() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'events are only ever added';
END $$;
ALTER FUNCTION rootbot_audit.events_are_kept() OWNER TO :"keeper";
CREATE TRIGGER events_are_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON rootbot_audit.events
    FOR EACH STATEMENT EXECUTE FUNCTION rootbot_audit.events_are_kept();

-- The bot may make things in public, and these names stay taken there.
CREATE OR REPLACE FUNCTION public.events_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the events are in the schema rootbot_audit';
END $$;
ALTER FUNCTION public.events_only_grow() OWNER TO :"keeper";
CREATE OR REPLACE FUNCTION public.events_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the events are in the schema rootbot_audit';
END $$;
ALTER FUNCTION public.events_are_kept() OWNER TO :"keeper";

COMMIT;
