"""The first member of staff, made on the command line, can sign in without any mail."""

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from apps.audit.models import AuditEvent
from apps.core.scope import system_scope
from apps.tenants.models import User
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def test_createsuperuser__without_a_mail_server__signs_in_to_the_admin(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--no-input", "--email=ops@example.com", verbosity=0)
    user = User.objects.get(email="ops@example.com")
    assert user.is_staff
    assert user.is_superuser
    with system_scope():
        assert AuditEvent.all_organizations.filter(action="user.made_superuser").count() == 1
    answer = client.post(
        reverse("account_login") + "?next=/admin/", {"login": user.email, "password": PASSWORD}, follow=True
    )
    assert answer.redirect_chain[-1][0] == "/admin/"
    assert answer.status_code == 200
