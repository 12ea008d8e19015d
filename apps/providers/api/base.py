"""What the API's views of connections and prices share."""

from typing import Any

from apps.core.errors import PermissionDenied
from apps.providers.permissions import needed_for
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission


class ProvidersAPIView(ProjectAPIView, abstract=True):
    """A view of connections or prices; what serves every project is managed with the organization."""

    def allowed(self, permission: str) -> bool:
        return super().allowed(self._needed(permission))

    def owner(self, *, every_project: bool) -> dict[str, Any]:
        """Whom a new row is for, as services take it. Raises PermissionDenied for every project."""
        if not every_project:
            return {"organization": None, "project": self.project}
        if not self.access.can(Permission.ORGANIZATION_MANAGE):
            message = f"For every project you need the permission {Permission.ORGANIZATION_MANAGE}."
            raise PermissionDenied(
                message, code="permission_missing", permission=Permission.ORGANIZATION_MANAGE.value
            )
        return {"organization": self.organization, "project": None}

    def _needed(self, permission: str) -> str:
        return needed_for(permission, self.scope, self.project.id, self.kwargs)

    def _refuse(self, permission: str) -> None:
        super()._refuse(self._needed(permission))
