"""The entitlement port over the free plan."""

import pytest

from apps.billing import plans
from apps.core import entitlements
from apps.core.errors import QuotaExceeded
from apps.core.scope import organization_scope
from tests.factories import make_organization, make_quota

pytestmark = pytest.mark.django_db


def test_can__runs__are_as_many_as_remain() -> None:
    organization = make_organization()
    make_quota(organization=organization, cap=10, used=8)
    with organization_scope(organization.id):
        assert entitlements.can(organization.id, plans.RUNS, 2)
        assert not entitlements.can(organization.id, plans.RUNS, 3)
        with pytest.raises(QuotaExceeded):
            entitlements.require(organization.id, plans.RUNS, 3)


def test_can__what_the_free_plan_does_not_limit__is_allowed() -> None:
    organization = make_organization()
    with organization_scope(organization.id):
        assert entitlements.can(organization.id, "seats", 1_000)
