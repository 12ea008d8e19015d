from uuid import UUID

import pytest
from pytest_django import Settings

from apps.core import entitlements, ids
from apps.core.errors import QuotaExceeded


def allow_two_seats(organization_id: UUID, feature: str, amount: int) -> bool:
    """Wired below as the port."""
    return feature == "seats" and amount <= 2


@pytest.fixture(autouse=True)
def _wired(settings: Settings) -> None:
    settings.ENTITLEMENTS = "tests.core.test_entitlements.allow_two_seats"


def test_require__allowed__passes() -> None:
    entitlements.require(ids.uuid7(), "seats", 2)
    assert entitlements.can(ids.uuid7(), "seats")


def test_require__not_allowed__names_the_feature() -> None:
    with pytest.raises(QuotaExceeded) as caught:
        entitlements.require(ids.uuid7(), "custom_roles")
    assert caught.value.code == "plan_limit_reached"
    assert caught.value.body(None)["error"]["feature"] == "custom_roles"
    assert "custom roles" in caught.value.message
