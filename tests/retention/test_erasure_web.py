"""Erasures by page and API; what they do is in test_erasure.py."""

import pytest
from django.test import Client

from apps.tenants.models import Project
from tests.factories import make_erasure, make_project, owner_of

pytestmark = pytest.mark.django_db

CUSTOMER = "customer-7"


@pytest.fixture
def project() -> Project:
    return make_project()


def test_pages__of_erasure__work_without_scripts(client: Client, project: Project) -> None:
    owner = owner_of(project.organization)
    client.force_login(owner)
    here = f"/{project.organization.slug}/settings/privacy"
    page = client.get(f"{here}/erasure/end-user/")
    assert "What stays, and until when" in page.content.decode()
    wrong = client.post(
        f"{here}/erasure/end-user/",
        {"end_user": CUSTOMER, "texts": "abc", "columns": "", "delay": "day"},
    )
    assert wrong.status_code == 422
    assert "4 to 200 characters" in wrong.content.decode()
    sent = {"end_user": CUSTOMER, "columns": "customer = 4711", "delay": "day"}
    detail = client.post(f"{here}/erasure/end-user/", sent, follow=True)
    assert CUSTOMER in detail.content.decode()
    address = detail.redirect_chain[-1][0]
    called_off = client.post(f"{address}cancel/", follow=True).content.decode()
    assert "Called off" in called_off
    assert CUSTOMER not in called_off


def test_certificate__as_file__is_json_and_text(client: Client, project: Project) -> None:
    done = make_erasure(project=project)
    client.force_login(owner_of(project.organization))
    place = f"/{project.organization.slug}/settings/privacy/erasure/{done.public_id}/certificate"
    as_json, text = client.get(f"{place}.json"), client.get(f"{place}.txt")
    assert as_json.json()["id"] == done.public_id
    assert "attachment" in as_json["Content-Disposition"]
    assert "Certificate of erasure" in text.content.decode()
    assert client.get(f"{place}.pdf").status_code == 404


def test_delete_page__wrong_name__says_so_and_right_one_waits_seven_days(
    client: Client, project: Project
) -> None:
    client.force_login(owner_of(project.organization))
    address = f"/{project.organization.slug}/settings/privacy/delete/"
    wrong = client.post(address, {"confirmation": "Something else"})
    assert wrong.status_code == 422
    assert "exactly as it is written here" in wrong.content.decode()
    client.post(address, {"confirmation": project.organization.name})
    assert "See it, or call it off" in client.get(address).content.decode()


def test_api__erasures__are_made_read_and_called_off(client: Client, project: Project) -> None:
    owner = owner_of(project.organization)
    client.force_login(owner)
    headers = {"Promptsaas-Project": project.public_id}
    made = client.post(
        "/api/v1/erasures",
        {"kind": "end_user", "end_user": CUSTOMER, "texts": ["Ann Smith"]},
        content_type="application/json",
        headers=headers,
    )
    assert made.status_code == 201, made.content
    erasure = made.json()["id"]
    listed = client.get("/api/v1/erasures", {"subject": CUSTOMER}, headers=headers).json()["data"]
    assert [each["id"] for each in listed] == [erasure]
    early = client.get(f"/api/v1/erasures/{erasure}/certificate", headers=headers)
    assert (early.status_code, early.json()["error"]["code"]) == (409, "erasure_not_done")
    cancelled = client.post(f"/api/v1/erasures/{erasure}/cancel", headers=headers).json()
    assert cancelled["state"] == "cancelled"
    missing = client.post(
        "/api/v1/erasures", {"kind": "member"}, content_type="application/json", headers=headers
    )
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "member")
