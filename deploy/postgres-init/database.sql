-- Run by a superuser inside one database that promptsaas_owner owns; safe to run again.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
-- What the semantic cache compares meanings by; where the server does not have it, that cache is off.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector') THEN
    CREATE EXTENSION IF NOT EXISTS vector;
  END IF;
END
$$;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO promptsaas_owner;
