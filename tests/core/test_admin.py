from typing import Any

import pytest
from django.contrib import admin
from django.core.mail import send_mail
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from apps.audit import sealing, services
from apps.audit.actor import SYSTEM
from apps.core import changes, files, outbox
from apps.core.admin import ReadOnlyAdmin
from apps.core.models import OutboxMessage, OutgoingMail, StoredFile
from apps.core.scope import organization_scope, system_scope
from tests import factories

OURS = [
    "core_datakey",
    "core_storedfile",
    "core_change",
    "core_outboxmessage",
    "core_outgoingmail",
    "audit_auditevent",
    "audit_auditseal",
]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(factories.make_user(staff=True))
    return client


@pytest.fixture
def organization(settings: Settings) -> Any:
    """An organization that left a row in every table."""
    settings.EMAIL_BACKEND = "apps.core.mail.OutboxBackend"
    found = factories.make_organization()
    with organization_scope(found.id):
        changes.append("label", "x")
        outbox.write("prompt.x", {"secret": "payload-secret"}, found.id)
        files.store(
            organization_id=found.id, name="rows.csv", content_type="text/csv", chunks=[b"row-secret"]
        )
        services.record(actor=SYSTEM, action="prompt.created", organization_id=found.id)
    send_mail("Confirm", "The link is https://example.com/TOKEN", None, ["ann@example.com"])
    sealing.seal_all()
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("name", OURS)
def test_admin__every_page__opens_and_shows_no_content(staff: Client, organization: Any, name: str) -> None:
    listing = staff.get(reverse(f"admin:{name}_changelist"))
    assert listing.status_code == 200
    assert b"secret" not in listing.content
    model = next(model for model in admin.site._registry if model._meta.db_table == name)
    with system_scope():
        manager = getattr(model, "all_organizations", model._default_manager)
        row = manager.order_by("-pk").first()
    assert row is not None
    page = staff.get(reverse(f"admin:{name}_change", args=[row.pk]))
    assert page.status_code == 200
    assert b"secret" not in page.content
    assert b'name="_save"' not in page.content
    assert staff.get(reverse(f"admin:{name}_history", args=[row.pk])).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("name", OURS)
def test_admin__add_change_delete__are_refused(staff: Client, organization: Any, name: str) -> None:
    model = next(model for model in admin.site._registry if model._meta.db_table == name)
    with system_scope():
        manager = getattr(model, "all_organizations", model._default_manager)
        pk = manager.order_by("-pk").values_list("pk", flat=True).first()
    assert staff.post(reverse(f"admin:{name}_add")).status_code == 403
    assert staff.post(reverse(f"admin:{name}_change", args=[pk]), {"name": "x"}).status_code == 403
    assert staff.post(reverse(f"admin:{name}_delete", args=[pk]), {"post": "yes"}).status_code == 403


@pytest.mark.django_db
def test_admin__ordinary_user__is_sent_to_sign_in(client: Client, organization: Any) -> None:
    client.force_login(factories.owner_of(organization))
    assert client.get(reverse("admin:core_storedfile_changelist")).status_code == 302


@pytest.mark.django_db
def test_admin__mail_without_a_server__is_read_there(staff: Client, organization: Any) -> None:
    with system_scope():
        row = OutgoingMail.objects.get()
    address = reverse("admin:core_outgoingmail_change", args=[row.pk])
    assert b"https://example.com/TOKEN" in staff.get(address).content


@pytest.mark.django_db
def test_admin__mail_with_a_server__stays_hidden(
    staff: Client, organization: Any, settings: Settings
) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    with system_scope():
        row = OutgoingMail.objects.get()
    page = staff.get(reverse("admin:core_outgoingmail_change", args=[row.pk])).content
    assert b"TOKEN" not in page
    assert b"Hidden" in page


@pytest.mark.django_db
def test_admin__retry_action__makes_the_message_due(staff: Client, organization: Any) -> None:
    with system_scope():
        row = OutboxMessage.objects.get()
        OutboxMessage.objects.update(attempts=9)
    address = reverse("admin:core_outboxmessage_changelist")
    response = staff.post(address, {"action": "retry", "_selected_action": [str(row.pk)]})
    assert response.status_code == 302
    with system_scope():
        assert OutboxMessage.objects.get().attempts == 0


@pytest.mark.django_db
def test_admin__unknown_action__does_nothing(staff: Client, organization: Any) -> None:
    address = reverse("admin:core_storedfile_changelist")
    assert staff.post(address, {"action": "delete_selected", "_selected_action": ["1"]}).status_code == 302
    with system_scope():
        assert StoredFile.all_organizations.exists()


def test_admin__every_page__is_read_only() -> None:
    pages = list(admin.site._registry.values())
    assert len(pages) > 10
    assert [type(page).__name__ for page in pages if not isinstance(page, ReadOnlyAdmin)] == []


@pytest.mark.django_db
def test_admin__index__offers_nothing_to_add(staff: Client) -> None:
    page = staff.get(reverse("admin:index"))
    assert page.status_code == 200
    assert b"addlink" not in page.content


@pytest.mark.django_db
def test_admin__password_change__leads_to_everybodys_page(staff: Client) -> None:
    answer = staff.post(reverse("admin:password_change"), {"new_password1": "x"})
    assert answer.status_code == 302
    assert answer["Location"] == reverse("account_change_password")
