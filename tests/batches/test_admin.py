"""Staff pages of batches."""

import pytest
from django.test import Client

from apps.batches.models import JobStatus
from tests.batches.support import reload, run_batch_pump
from tests.factories import make_batch, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def staff_client() -> Client:
    client = Client()
    client.force_login(make_user(staff=True))
    return client


def test_admin__lists__show_numbers_and_no_content() -> None:
    job = make_batch(rows=2)
    run_batch_pump()
    client = staff_client()

    jobs = client.get("/admin/batches/batchjob/").content.decode()
    items = client.get("/admin/batches/batchitem/").content.decode()

    assert job.public_id in jobs
    assert items.count("bti_") >= 2
    assert "Positive" not in items
    assert client.get("/admin/batches/pump/").status_code == 200


def test_admin__stop__ends_a_job_with_nothing_in_flight() -> None:
    job = make_batch(rows=2)

    staff_client().post("/admin/batches/batchjob/", {"action": "stop", "_selected_action": [str(job.pk)]})

    assert reload(job).status == JobStatus.CANCELLED
