"""Reads of runs."""

from datetime import UTC, datetime, timedelta

import pytest

from apps.core.errors import NotFound
from apps.core.scope import organization_scope
from apps.runs import queries
from apps.runs.models import RunPayload
from apps.runs.queries import RunFilters
from apps.runs.types import RunError
from tests.factories import make_project, make_run

pytestmark = pytest.mark.django_db

FAILED = RunError(code="provider_timeout", type="provider_error", message="Too slow.", status=504)


def test_load_content__of_a_run__is_what_was_sealed() -> None:
    project = make_project()
    run = make_run(project=project, text="Sorry to hear that.")
    with organization_scope(project.organization_id):
        content = queries.load_content(run)
        sealed = bytes(RunPayload.objects.get(pk=run.pk).content)
    assert content is not None
    assert content.output == "Sorry to hear that."
    assert content.variables == {"review": "It broke."}
    assert content.messages[0]["role"] == "user"
    assert b"Sorry" not in sealed


def test_load_content__not_kept__is_none() -> None:
    project = make_project()
    run = make_run(project=project, record_payload=False)
    with organization_scope(project.organization_id):
        assert queries.load_content(run) is None
        with pytest.raises(NotFound):
            queries.load_result(project.id, run.pk)


def test_load_previews__of_long_texts__are_cut() -> None:
    project = make_project()
    run = make_run(project=project, text="x" * 1000)
    with organization_scope(project.organization_id):
        preview = queries.load_previews([run])[run.pk]
    assert len(preview.output) == 200
    assert preview.input == "Say something about: It broke."


def test_load_result__of_a_failed_run__has_its_error_and_price() -> None:
    project = make_project()
    run = make_run(project=project, error=FAILED)
    with organization_scope(project.organization_id):
        result = queries.load_result(project.id, run.pk)
    assert result.error == FAILED
    assert result.price is not None
    assert result.price.status == "sandbox"
    assert result.created_at == run.created_at


def test_list_runs__by_filters__narrows() -> None:
    project = make_project()
    old = make_run(project=project, at=datetime.now(UTC) - timedelta(days=2))
    failed = make_run(project=project, error=FAILED)
    batch = make_run(project=project, source="batch", model="sandbox/fast")
    make_run(project=make_project(), error=FAILED)
    with organization_scope(project.organization_id):

        def found(**values: object) -> set[object]:
            filters = RunFilters(**values)  # type: ignore[arg-type]
            return set(queries.list_runs(project.id, filters).values_list("pk", flat=True))

        assert found() == {old.pk, failed.pk, batch.pk}
        assert found(status="failed") == {failed.pk}
        assert found(source="batch") == {batch.pk}
        assert found(model="sandbox/fast") == {batch.pk}
        assert found(since=datetime.now(UTC) - timedelta(hours=1)) == {failed.pk, batch.pk}
        assert found(until=datetime.now(UTC) - timedelta(hours=1)) == {old.pk}
        assert queries.recent_models(project.id) == ["sandbox/fast", "sandbox/standard"]


def test_find_run__by_either_id__is_found_in_its_project_only() -> None:
    project, stranger = make_project(), make_project()
    run = make_run(project=project, request_id="req_abc")
    with organization_scope(project.organization_id):
        assert queries.find_run(project.id, f" {run.public_id} ") == run
        assert queries.find_run(project.id, "req_abc") == run
        assert queries.find_run(project.id, "run_nonsense") is None
        assert queries.find_run(project.id, "nonsense") is None
    with organization_scope(stranger.organization_id):
        assert queries.find_run(stranger.id, run.public_id) is None
        with pytest.raises(NotFound):
            queries.get_run(stranger.id, run.public_id)
