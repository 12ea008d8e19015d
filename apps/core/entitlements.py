"""Asking what an organization's plan allows, without knowing billing: the port is wired in settings."""

from typing import Protocol, cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from apps.core.errors import QuotaExceeded


class CanUse(Protocol):
    """What `settings.ENTITLEMENTS` names."""

    def __call__(self, organization_id: UUID, feature: str, amount: int) -> bool:
        """Whether the organization may use `amount` more of `feature` ("seats", "projects", …)."""


def can(organization_id: UUID, feature: str, amount: int = 1) -> bool:
    """Whether the plan allows `amount` more of `feature`. Call it inside the organization's scope."""
    return cast(CanUse, import_string(settings.ENTITLEMENTS))(organization_id, feature, amount)


def require(organization_id: UUID, feature: str, amount: int = 1) -> None:
    """Raise QuotaExceeded (code plan_limit_reached, `feature` in the body) unless the plan allows it."""
    if not can(organization_id, feature, amount):
        raise QuotaExceeded(
            f"Your plan does not include more {feature.replace('_', ' ')}.",
            code="plan_limit_reached",
            feature=feature,
        )
