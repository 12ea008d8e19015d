"""Migration operations that fence a table: row-level security and the grants of the two roles.

Nothing is granted by default: a table without one of these operations can't be read by the application.
"""

from typing import Any, Final

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

APP_ROLE: Final = "promptsaas_app"
SYSTEM_ROLE: Final = "promptsaas_system"
ALL: Final = "SELECT, INSERT, UPDATE, DELETE"


class _TableOperation(Operation):
    reduces_to_sql = True
    reversible = True

    def __init__(self, table: str, app: str = ALL, system: str = ALL) -> None:
        self.table = table
        self.app = app
        self.system = system

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        return None

    def statements(self) -> list[str]:
        raise NotImplementedError

    def reverse_statements(self) -> list[str]:
        raise NotImplementedError

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        for statement in self.statements():
            schema_editor.execute(statement)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        for statement in self.reverse_statements():
            schema_editor.execute(statement)

    def _grants(self) -> list[str]:
        roles = ((APP_ROLE, self.app), (SYSTEM_ROLE, self.system))
        return [f'GRANT {rights} ON "{self.table}" TO {role}' for role, rights in roles if rights]


class Grant(_TableOperation):
    """Rights on a table that holds no organization's data. An empty string grants nothing."""

    def statements(self) -> list[str]:
        return self._grants()

    def reverse_statements(self) -> list[str]:
        return [f'REVOKE ALL ON "{self.table}" FROM {APP_ROLE}, {SYSTEM_ROLE}']

    def describe(self) -> str:
        return f"Grant rights on {self.table}"


class TenantTable(_TableOperation):
    """Fence 2 for a tenant table.

    The policy is one plain equality, so the planner uses the organization's index; the setting is ``''``
    (not NULL) after its transaction, hence NULLIF. The system role has a policy of its own: an OR in the
    tenant policy would cost a sequential scan.
    """

    def __init__(
        self, table: str, app: str = ALL, system: str = ALL, column: str = "organization_id"
    ) -> None:
        super().__init__(table, app, system)
        self.column = column

    def statements(self) -> list[str]:
        check = f"{self.column} = NULLIF(current_setting('app.organization_id', true), '')::uuid"
        return [
            f'ALTER TABLE "{self.table}" ENABLE ROW LEVEL SECURITY',
            f'ALTER TABLE "{self.table}" FORCE ROW LEVEL SECURITY',
            f'CREATE POLICY tenant ON "{self.table}" TO {APP_ROLE} USING ({check}) WITH CHECK ({check})',
            f'CREATE POLICY system ON "{self.table}" TO {SYSTEM_ROLE} USING (true) WITH CHECK (true)',
            *self._grants(),
        ]

    def reverse_statements(self) -> list[str]:
        return [
            f'REVOKE ALL ON "{self.table}" FROM {APP_ROLE}, {SYSTEM_ROLE}',
            f'DROP POLICY system ON "{self.table}"',
            f'DROP POLICY tenant ON "{self.table}"',
            f'ALTER TABLE "{self.table}" NO FORCE ROW LEVEL SECURITY',
            f'ALTER TABLE "{self.table}" DISABLE ROW LEVEL SECURITY',
        ]

    def describe(self) -> str:
        return f"Fence {self.table} by organization"
