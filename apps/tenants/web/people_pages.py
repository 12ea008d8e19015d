"""What the pages of an organization's people and settings share: addresses, and roles to choose from."""

from django.urls import reverse

from apps.tenants import people
from apps.tenants.people import RoleOption
from apps.tenants.web.base import OrganizationView


class SettingsPage(OrganizationView, abstract=True):
    """A page of the organization's settings."""

    def here(self, view: str, *args: str) -> str:
        """The address of a page of this organization."""
        return reverse(f"tenants:{view}", args=[self.organization.slug, *args])

    def givable_roles(self) -> list[RoleOption]:
        """The roles that the caller may give: none with a right that they lack."""
        return [option for option in people.role_options() if option.permissions <= self.access.permissions]
