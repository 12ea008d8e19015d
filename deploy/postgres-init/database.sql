-- Run by a superuser inside one database that promptsaas_owner owns; safe to run again.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER SCHEMA public OWNER TO promptsaas_owner;
