"""Every list of the admin: opens with a row of its table, and finds it by words, by ids and by filters."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from allauth.mfa.models import Authenticator
from django.contrib import admin
from django.core.mail import send_mail
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from apps.analytics.models import CountedHistory, DegradationLook
from apps.batches.models import Pump
from apps.core import changes, ids, outbox
from apps.core.ids import uuid7
from apps.core.models import Change, DataKey, OutboxMessage, OutgoingMail
from apps.core.scope import organization_scope, system_scope
from apps.runs.models import BackgroundPump
from apps.tenants.models import Project, UserSession
from tests import factories
from tests.factories import TENANT_FACTORIES

pytestmark = pytest.mark.django_db

PAGES: Final = {page.model._meta.label: page for page in admin.site._registry.values()}


def _change(project: Project) -> models.Model:
    with organization_scope(project.organization_id):
        changes.append("label", "x")
    with system_scope():
        return Change.objects.latest("id")


def _outbox_message(project: Project) -> models.Model:
    with organization_scope(project.organization_id):
        outbox.write("prompt.x", {}, project.organization_id)
    with system_scope():
        return OutboxMessage.objects.latest("id")


def _data_key(project: Project) -> models.Model:
    with system_scope():
        return DataKey.objects.get(organization_id=project.organization_id)


def _outgoing_mail(project: Project) -> models.Model:
    send_mail("Confirm", "Hello.", None, ["ann@example.com"])
    with system_scope():
        return OutgoingMail.objects.latest("id")


def _session(project: Project) -> models.Model:
    client = Client()
    client.force_login(factories.make_user())
    client.get(reverse("tenants:profile"))
    found: models.Model = UserSession.objects.latest("id")
    return found


def _authenticator(project: Project) -> models.Model:
    made: models.Model = Authenticator.objects.create(user=factories.make_user(), type="totp", data={})
    return made


def _pump(project: Project) -> models.Model:
    with system_scope():
        return Pump.objects.create(id=uuid7(), process="test", slots=1, expires_at=timezone.now())


def _counted_history(project: Project) -> models.Model:
    with system_scope():
        return CountedHistory.objects.create(pk=1)


def _degradation_look(project: Project) -> models.Model:
    with system_scope():
        return DegradationLook.objects.create(pk=1, until=timezone.now())


def _background_pump(project: Project) -> models.Model:
    return BackgroundPump.objects.create(id=uuid7(), expires_at=timezone.now(), slots=1)


OTHERS: Final[dict[str, Callable[[Project], models.Model]]] = {
    "analytics.CountedHistory": _counted_history,
    "analytics.DegradationLook": _degradation_look,
    "batches.Pump": _pump,
    "runs.BackgroundPump": _background_pump,
    "core.Change": _change,
    "core.DataKey": _data_key,
    "core.OutboxMessage": _outbox_message,
    "core.OutgoingMail": _outgoing_mail,
    "mfa.Authenticator": _authenticator,
    "tenants.Organization": lambda project: project.organization,
    "tenants.User": lambda project: factories.owner_of(project.organization),
    "tenants.UserSession": _session,
}


@pytest.fixture(autouse=True)
def _mail_kept(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "apps.core.mail.OutboxBackend"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(factories.make_user(staff=True))
    return client


def _made(label: str) -> models.Model:
    project = factories.make_project()
    return (TENANT_FACTORIES.get(label) or OTHERS[label])(project)


def _address(label: str) -> str:
    return reverse(f"admin:{PAGES[label].model._meta.db_table}_changelist")


def _rows(client: Client, label: str, **query: str) -> list[Any]:
    answer = client.get(_address(label), query)
    assert answer.status_code == 200, (label, query)
    return [row.pk for row in answer.context["cl"].result_list]


@pytest.mark.parametrize("label", sorted(PAGES))
def test_admin_list__with_a_row__shows_and_finds_it_and_takes_every_filter(staff: Client, label: str) -> None:
    row = _made(label)
    page = staff.get(_address(label))
    assert b'id="searchbar"' in page.content
    assert row.pk in [shown.pk for shown in page.context["cl"].result_list]
    assert _rows(staff, label, q="no-such-word") == []
    if isinstance(row._meta.pk, models.UUIDField):
        assert _rows(staff, label, q=str(row.pk)) == [row.pk]
    if prefix := getattr(row, "PREFIX", ""):
        assert _rows(staff, label, q=ids.encode(prefix, row.pk)) == [row.pk]
    for spec in page.context["cl"].filter_specs:
        last = list(spec.choices(page.context["cl"]))[-1]
        assert staff.get(_address(label) + last["query_string"]).status_code == 200, spec.title


def test_admin_list__id_of_an_organization__finds_its_rows_only(staff: Client) -> None:
    ours, other = (_made("prompts.Prompt") for _ in range(2))
    organization_id = ours.organization_id  # type: ignore[attr-defined]
    assert other.pk not in _rows(staff, "prompts.Prompt", q=ids.encode("org", organization_id))
    assert _rows(staff, "prompts.Prompt", q=ids.encode("org", organization_id)) == [ours.pk]


@pytest.mark.parametrize("term", ["run_", "run_0", "org_" + "z" * 26, "%", "\\", "'" * 300])
def test_admin_list__odd_search_term__finds_nothing(staff: Client, term: str) -> None:
    for label in ("runs.Run", "prompts.Prompt", "audit.AuditEvent", "core.Change"):
        assert _rows(staff, label, q=term) == []
