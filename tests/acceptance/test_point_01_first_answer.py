"""Point 1: from sign-up to a model's answer without a provider's key; the sample is marked, not counted."""

import re
import time

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from apps.analytics.counting.waiting import count_waiting
from apps.billing.queries import usage_summary
from apps.core.scope import organization_scope, system_scope
from apps.prompts.models import Prompt
from apps.runs.models import Run
from apps.tenants.models import Organization
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = "ada@example.com"


def sign_up(client: Client) -> None:
    client.post("/accounts/signup/", {"email": EMAIL, "password1": PASSWORD})
    EmailAddress.objects.filter(email=EMAIL).update(verified=True)
    client.post("/accounts/login/", {"login": EMAIL, "password": PASSWORD})


def test_point_01__new_account__first_answer_without_a_provider_key(client: Client) -> None:
    begun = time.monotonic()
    sign_up(client)
    start = client.get("/", follow=True)
    assert start.redirect_chain[-1][0] == "/new/"
    home = client.post("/new/", {"name": "Acme"}, follow=True)
    welcome = home.redirect_chain[-1][0]
    assert welcome.endswith("/welcome/")
    assert "Try the demo prompt" in home.content.decode()

    tried = client.post(f"{welcome}try/", follow=True)

    page = tried.content.decode()
    assert re.search(r"Positive|Negative|Neutral", page)
    assert "1 of 5" in page
    assert time.monotonic() - begun < 60


def test_point_01__sample_data__is_marked_and_in_no_total(client: Client) -> None:
    sign_up(client)
    home = client.post("/new/", {"name": "Acme"}, follow=True)
    welcome = home.redirect_chain[-1][0]
    for _ in range(2):
        page = client.post(f"{welcome}try/", follow=True).content.decode()

    assert "its 2 runs are marked" in page
    with system_scope():
        organization = Organization.objects.get(slug="acme")
    with organization_scope(organization.id):
        assert Prompt.objects.get().tags == ["sample"]
        assert set(Run.objects.values_list("sandbox", flat=True)) == {True}
        usage = usage_summary(organization.id)
    assert (usage.used, usage.sandbox_used) == (0, 2)
    count_waiting()
    today = client.get(welcome.replace("welcome/", "home/activity/")).content.decode()
    assert '<span class="tile__name">Runs</span><span class="tile__value">0</span>' in today
    assert "2 today on the sandbox, not counted" in today
    assert '<span class="tile__name">Cost</span><span class="tile__value">$0.00</span>' in today
