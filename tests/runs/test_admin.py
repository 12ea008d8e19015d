"""Staff see runs in numbers; never content, nor what could quote it."""

import pytest
from django.test import Client

from apps.runs.types import RunError
from tests.factories import make_project, make_run, make_user

pytestmark = pytest.mark.django_db


def test_admin__of_a_run__shows_numbers_and_no_content(client: Client) -> None:
    client.force_login(make_user(staff=True))
    error = RunError(
        code="provider_refused", type="invalid_request_error", message="Quoted words.", status=400
    )
    run = make_run(project=make_project(), text="Secret answer.", error=error)
    listed = client.get("/admin/runs/run/").content.decode()
    assert "provider_refused" in listed
    found = client.get(f"/admin/runs/run/?q={run.pk}").content.decode()
    assert run.public_id in found
    page = client.get(f"/admin/runs/run/{run.pk}/change/").content.decode()
    assert "sandbox/standard" in page
    for hidden in ("Secret answer", "It broke", "Quoted words", "customer-7", "ticket"):
        assert hidden not in page + listed, hidden
    assert client.post(f"/admin/runs/run/{run.pk}/change/", {"status": "failed"}).status_code == 403
