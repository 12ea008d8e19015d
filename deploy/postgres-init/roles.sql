-- The three database roles. Run by a superuser in any database; safe to run again.
-- owner migrates and owns the tables; app serves; system is what app becomes, and only by SET ROLE.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'promptsaas_owner') THEN
    CREATE ROLE promptsaas_owner;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'promptsaas_app') THEN
    CREATE ROLE promptsaas_app;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'promptsaas_system') THEN
    CREATE ROLE promptsaas_system;
  END IF;
END
$$;
ALTER ROLE promptsaas_owner LOGIN CREATEDB NOSUPERUSER NOBYPASSRLS NOCREATEROLE;
ALTER ROLE promptsaas_app LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB;
ALTER ROLE promptsaas_system NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB;
-- INHERIT FALSE is the point: app has none of system's rights until it says SET ROLE. Needs Postgres 16.
GRANT promptsaas_system TO promptsaas_app WITH INHERIT FALSE, SET TRUE;
