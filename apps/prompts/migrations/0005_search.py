"""Search in names and texts at a library of any size.

Operators that may leak a value (ILIKE, @>) never use their index under a row policy, so the search is one
function: it takes the system role for its one query and filters by the scope's organization itself. The index
holds hashes of three letters and the organization, so one organization's search reads none of another's entries
and its time tells nothing about them. A text of more than 50,000 different hashes is filed under the hash 0 and
looked at by every search.
"""

from typing import ClassVar

from django.db import migrations

TEXTS = """
    CREATE FUNCTION prompts_text(messages jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
    BEGIN ATOMIC
        SELECT string_agg(message->>'content', E'\\n' ORDER BY place)
        FROM jsonb_array_elements(messages) WITH ORDINALITY AS each (message, place);
    END;
    CREATE FUNCTION prompts_head(name text, description text, tags varchar[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
    BEGIN ATOMIC
        SELECT name || E'\\n' || description || E'\\n' || array_to_string(tags, E'\\n');
    END;
    CREATE FUNCTION prompts_grams(organization uuid, body text) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURNS NULL ON NULL INPUT
    BEGIN ATOMIC
        SELECT CASE WHEN count(*) > 50000 THEN ARRAY[0::bigint] ELSE coalesce(array_agg(gram), '{}') END
        FROM (
            SELECT DISTINCT hashtextextended(a || b || c, uuid_hash_extended(organization, 0)) AS gram
            FROM ROWS FROM (
                string_to_table(lower(body), NULL),
                string_to_table(substr(lower(body), 2), NULL),
                string_to_table(substr(lower(body), 3), NULL)
            ) AS each (a, b, c)
            WHERE c IS NOT NULL
        ) AS grams;
    END;
"""
SEARCH = """
    CREATE FUNCTION prompts_search(
        of_project uuid, words text, pattern text, in_texts boolean, in_every_version boolean, most integer
    ) RETURNS TABLE (prompt_id uuid, number integer)
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, public, pg_temp
    SET enable_seqscan = off SET plan_cache_mode = force_custom_plan
    AS $body$
    DECLARE
        own uuid := NULLIF(current_setting('app.organization_id', true), '')::uuid;
        grams bigint[] := public.prompts_grams(own, words);
    BEGIN
        IF own IS NULL OR cardinality(grams) = 0 THEN
            RAISE EXCEPTION 'a search needs an organization and three letters';
        END IF;
        PERFORM set_config('role', 'promptsaas_system', true);
        RETURN QUERY
            SELECT prompt.id, 0
            FROM public.prompts_prompt AS prompt
            WHERE prompt.organization_id = own AND prompt.project_id = of_project
                AND public.prompts_grams(
                    prompt.organization_id,
                    public.prompts_head(prompt.name, prompt.description, prompt.tags)
                ) @> grams
                AND public.prompts_head(prompt.name, prompt.description, prompt.tags) ILIKE pattern
            LIMIT most;
        IF in_texts OR in_every_version THEN
            RETURN QUERY
                SELECT version.prompt_id, version.number::integer
                FROM public.prompts_promptversion AS version
                JOIN public.prompts_prompt AS prompt
                    ON prompt.id = version.prompt_id AND prompt.organization_id = own
                    AND prompt.project_id = of_project
                WHERE version.organization_id = own
                    AND (
                        public.prompts_grams(version.organization_id, public.prompts_text(version.messages))
                            @> grams
                        OR public.prompts_grams(version.organization_id, public.prompts_text(version.messages))
                            @> ARRAY[0::bigint]
                    )
                    AND (in_every_version OR version.number = prompt.latest_number)
                    AND public.prompts_text(version.messages) ILIKE pattern
                LIMIT most;
        END IF;
        PERFORM set_config('role', 'none', true);
    END
    $body$;
"""


class Migration(migrations.Migration):
    # The indexes are built beside running writes.
    atomic = False

    dependencies: ClassVar = [("prompts", "0004_grants_of_members")]

    operations: ClassVar = [
        migrations.RunSQL(
            TEXTS, "DROP FUNCTION prompts_text; DROP FUNCTION prompts_head; DROP FUNCTION prompts_grams;"
        ),
        migrations.RunSQL(SEARCH, "DROP FUNCTION prompts_search;"),
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY version_grams ON prompts_promptversion"
            " USING gin (prompts_grams(organization_id, prompts_text(messages)))",
            "DROP INDEX CONCURRENTLY version_grams",
        ),
        migrations.RunSQL(
            "CREATE INDEX CONCURRENTLY prompt_grams ON prompts_prompt"
            " USING gin (prompts_grams(organization_id, prompts_head(name, description, tags)))",
            "DROP INDEX CONCURRENTLY prompt_grams",
        ),
    ]
