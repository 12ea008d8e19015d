"""Staff see connections and billing's tables, without a secret."""

import pytest
from django.test import Client

from apps.core.scope import organization_scope
from tests.factories import TENANT_FACTORIES, make_connection, make_project, make_user

pytestmark = pytest.mark.django_db

KEY = "sk-secret-0123456789abcdef"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make_user(staff=True))
    return client


def test_admin__connection__shows_no_sealed_column(staff: Client) -> None:
    found = make_connection(project=make_project(), name="openai", api_key=KEY)
    assert "openai" in staff.get("/admin/providers/providercredential/").content.decode()
    page = staff.get(f"/admin/providers/providercredential/{found.pk}/change/").content.decode()
    assert "api.openai.com" in page
    assert "ealed" not in page
    assert KEY not in page


@pytest.mark.parametrize("model", ["ProviderCredential", "DefaultModel", "PriceOverride"])
def test_admin__providers__lists_searches_filters_and_shows(staff: Client, model: str) -> None:
    row = TENANT_FACTORIES[f"providers.{model}"](make_project())
    root = f"/admin/providers/{model.lower()}/"
    for address in (root, f"{root}?q=provider", f"{root}{row.pk}/change/"):
        assert staff.get(address).status_code == 200
    if model != "DefaultModel":
        assert staff.get(f"{root}?serves=every").status_code == 200


@pytest.mark.parametrize("model", ["UsageEvent", "Quota", "AllowanceLease"])
def test_admin__billing__lists_and_shows(staff: Client, model: str) -> None:
    project = make_project()
    with organization_scope(project.organization_id):
        row = TENANT_FACTORIES[f"billing.{model}"](project)
    for address in (f"/admin/billing/{model.lower()}/", f"/admin/billing/{model.lower()}/{row.pk}/change/"):
        assert staff.get(address).status_code == 200
