"""What the pages of the room share: addresses, tabs, and who may manage what."""

from typing import Any

from django.http import HttpResponse

from apps.core.errors import PermissionDenied
from apps.providers import queries
from apps.providers.models import ProviderCredential
from apps.providers.permissions import needed_for
from apps.tenants.models import Project
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


class ProvidersPage(ProjectView, abstract=True):
    """A page of connections or prices; what serves every project is managed with the organization."""

    def allowed(self, permission: str) -> bool:
        return super().allowed(self._needed(permission))

    @property
    def may_manage(self) -> bool:
        """Whether the reader may change the project's own connections and prices."""
        return self.access.can(Permission.PROVIDERS_MANAGE)

    @property
    def may_share(self) -> bool:
        """Whether the reader may change those of every project."""
        return self.access.can(Permission.ORGANIZATION_MANAGE)

    def owner(self, *, every_project: bool) -> Project | None:
        """Whom a new row is for; None for every project. Raises PermissionDenied."""
        if not every_project:
            return self.project
        if not self.may_share:
            raise PermissionDenied("You may not manage the whole organization.", code="permission_missing")
        return None

    def found(self, public_id: str) -> ProviderCredential:
        """The connection that the address names. Raises NotFound."""
        return queries.get_credential(self.project.id, public_id)

    def frame(self, current: str) -> dict[str, Any]:
        """What the templates of the room's tabs share."""
        tabs = [
            {"label": "Connections", "href": self.address("providers:list"), "current": current == "list"},
            {"label": "Aliases", "href": self.address("providers:aliases"), "current": current == "aliases"},
            {
                "label": "Models and prices",
                "href": self.address("providers:prices"),
                "current": current == "prices",
            },
        ]
        return {"tabs": tabs, "may_manage": self.may_manage, "may_share": self.may_share}

    def _needed(self, permission: str) -> str:
        return needed_for(permission, self.scope, self.project.id, self.kwargs)

    def _refuse(self, permission: str) -> HttpResponse:
        return super()._refuse(self._needed(permission))
