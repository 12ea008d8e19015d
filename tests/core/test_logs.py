"""What a log line says: ids, never content."""

import json
import logging

import pytest
from django.test import Client

from apps.core.ids import encode, uuid7
from apps.core.log_fields import begin, end, note
from apps.core.logs import JSONFormatter
from apps.core.scope import organization_scope
from tests.factories import make_project, owner_of


def line(**extra: object) -> dict[str, object]:
    record = logging.getLogger("tests").makeRecord(
        "tests", logging.INFO, "", 0, "thing.done", (), None, extra=extra
    )
    found: dict[str, object] = json.loads(JSONFormatter().format(record))
    return found


def test_line__in_a_request__carries_its_ids() -> None:
    begin("req_1")
    try:
        note("run_id", "run_1")
        assert {"event": "thing.done", "request_id": "req_1", "run_id": "run_1", "rows": 3}.items() <= line(
            rows=3
        ).items()
    finally:
        end()
    note("run_id", "run_2")
    assert "run_id" not in line()


@pytest.mark.django_db
def test_line__in_a_scope__names_the_organization() -> None:
    organization_id = uuid7()
    with organization_scope(organization_id):
        assert line()["organization_id"] == encode("org", organization_id)
    assert "organization_id" not in line()


@pytest.mark.django_db
def test_request_line__page_of_a_project__has_route_and_ids_but_no_values(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    project = make_project()
    client.force_login(owner_of(project.organization))
    with caplog.at_level(logging.INFO, logger="apps.core.middleware"):
        response = client.get(f"/{project.organization.slug}/{project.slug}/runs/?q=secret")
    record = next(each for each in caplog.records if each.message == "request.finished")
    assert response.status_code == 200
    assert record.__dict__["status"] == 200
    assert "<slug:project>" in record.__dict__["route"]
    assert "secret" not in str(record.__dict__)


@pytest.mark.django_db
def test_request_line__health__is_left_out(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="apps.core.middleware"):
        client.get("/healthz")
    assert not caplog.records


def test_line__of_a_failed_request__has_no_address() -> None:
    record = logging.getLogger("django.request").makeRecord(
        "django.request",
        logging.ERROR,
        "",
        0,
        "Internal Server Error: %s",
        ("/invitations/secret/",),
        None,
        extra={"status_code": 500, "request": "<WSGIRequest: GET '/invitations/secret/'>"},
    )
    text = JSONFormatter().format(record)
    assert "secret" not in text
    assert json.loads(text)["status_code"] == 500


def test_line__of_a_database_error__leaves_the_values_of_the_row_out() -> None:
    try:
        try:
            raise ValueError("duplicate key\nDETAIL:  Key (name)=(secret\nsecret) already exists.")
        except ValueError as error:
            raise RuntimeError("refused") from error
    except RuntimeError as error:
        record = logging.getLogger("tests").makeRecord(
            "tests", logging.ERROR, "", 0, "failed", (), (type(error), error, error.__traceback__)
        )
    text = json.loads(JSONFormatter().format(record))["exception"]
    assert "secret" not in text
    assert text.endswith("RuntimeError: refused")


@pytest.mark.parametrize("name", ["httpx", "httpx2", "httpcore2", "openai._base_client", "anthropic"])
def test_clients__whatever_the_level__tell_no_address_and_no_content(name: str) -> None:
    assert logging.getLogger(name).getEffectiveLevel() == logging.WARNING
