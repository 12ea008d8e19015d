#!/bin/bash
# Run once by the Postgres image, in an empty data folder: the three roles, their passwords, the extension.
set -euo pipefail
folder=$(dirname "${BASH_SOURCE[0]}")/sql

run() { # database, psql arguments…
  local database=$1
  shift
  psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$database" "$@"
}

run postgres --file "$folder/roles.sql"
# Variables keep the passwords out of the statement's text, whatever characters they hold.
run postgres --set owner_password="${OWNER_PASSWORD:?}" --set app_password="${APP_PASSWORD:?}" <<'SQL'
ALTER ROLE promptsaas_owner PASSWORD :'owner_password';
ALTER ROLE promptsaas_app PASSWORD :'app_password';
SQL
run postgres --command "ALTER DATABASE \"$POSTGRES_DB\" OWNER TO promptsaas_owner"
for database in template1 "$POSTGRES_DB"; do
  run "$database" --file "$folder/database.sql"
done
