"""``manage.py migrate`` as the owner of the tables, followed by the application's grants."""

from typing import Any, Final

from django.core.management.commands.migrate import Command as DjangoMigrate
from django.db import DEFAULT_DB_ALIAS, connections

from apps.core.row_security import ALL, APP_ROLE, SYSTEM_ROLE

# Tables of Django and of libraries, which hold no organization's data. Tables of our own rooms are granted
# in the migration that makes them.
LIBRARY_TABLES: Final = {
    "account_emailaddress": ALL,
    "account_emailconfirmation": ALL,
    "auth_group": "SELECT",
    "auth_group_permissions": "SELECT",
    "auth_permission": "SELECT",
    # What it says of a person is replaced when the person is erased.
    "django_admin_log": "SELECT, INSERT, UPDATE (object_repr, change_message)",
    "django_content_type": "SELECT",
    "django_migrations": "SELECT",
    "django_session": ALL,
    "guardian_groupobjectpermission": "SELECT",
    "guardian_userobjectpermission": "SELECT",
    "mfa_authenticator": ALL,
}


class Command(DjangoMigrate):
    help = "Create and change the tables as their owner, then grant the application what it needs."

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] == DEFAULT_DB_ALIAS:
            become_owner()
        super().handle(*args, **options)
        if not options.get("plan") and not options.get("check_unapplied"):
            grant_library_tables(options["database"])


def become_owner() -> None:
    """Make the default connection the owner's, in this process."""
    # Not by `--database owner`: data migrations of libraries read the default alias whatever they are told.
    connection = connections[DEFAULT_DB_ALIAS]
    connection.close()
    connection.settings_dict.update(connections["owner"].settings_dict)


def grant_library_tables(alias: str) -> None:
    """Grant the application its rights on library tables and on the sequences of the schema."""
    connection = connections[alias]
    existing = set(connection.introspection.table_names())
    with connection.cursor() as cursor:
        for role in (APP_ROLE, SYSTEM_ROLE):
            cursor.execute(f"GRANT USAGE ON SCHEMA public TO {role}")
            cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
        for table, rights in sorted(LIBRARY_TABLES.items()):
            if table in existing:
                cursor.execute(f'GRANT {rights} ON "{table}" TO {APP_ROLE}, {SYSTEM_ROLE}')
