"""The registry of row makers, which the isolation tests and the access matrix go through."""

from collections.abc import Callable
from itertools import count

from django.db.models import Model

from apps.core.scope import organization_scope
from apps.tenants.models import Project

TenantFactory = Callable[[Project], Model]

TENANT_FACTORIES: dict[str, TenantFactory] = {}
numbers = count(1)


def tenant_factory(label: str, *, scoped: bool = True) -> Callable[[TenantFactory], TenantFactory]:
    """Register how one row of a tenant's model is made; ``label`` is ``app_label.ModelName``.

    The function runs inside the project's scope; ``scoped=False`` leaves scopes to the function.
    """

    def register(function: TenantFactory) -> TenantFactory:
        def in_scope(project: Project) -> Model:
            with organization_scope(project.organization_id):
                return function(project)

        TENANT_FACTORIES[label] = in_scope if scoped else function
        return function

    return register
