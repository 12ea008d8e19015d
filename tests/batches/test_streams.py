"""Streams: rows that come without an end."""

from datetime import timedelta

import pytest

from apps.audit.actor import SYSTEM
from apps.batches import stream_queries
from apps.batches.models import BatchItem, BatchJob, JobStatus
from apps.batches.services import RetryChoice, keep_rows, retry_failed
from apps.batches.services.starting import BatchOptions
from apps.batches.services.streams import close_stream, open_stream, push_rows
from apps.batches.stream_models import Stream
from apps.batches.sweeping import sweep
from apps.core.errors import Conflict, InvalidRequest, PermissionDenied
from apps.core.scope import organization_scope
from apps.datasets.mapping import RowValues
from apps.prompts import services as prompt_services
from apps.prompts.models import Prompt
from apps.runs.types import PromptReference
from apps.tenants.models import Project
from tests.batches.support import reload, run_batch_pump
from tests.factories import make_project, make_prompt

pytestmark = pytest.mark.django_db(transaction=True)


def make_stream(project: Project, **options: object) -> Stream:
    prompt = make_prompt(project=project, labels={"production": 1}, versions=2)
    with organization_scope(project.organization_id):
        return open_stream(
            actor=SYSTEM,
            project=project,
            name="reviews",
            prompt=PromptReference(prompt.name),
            options=BatchOptions(**options),  # type: ignore[arg-type]
        )


def push(stream: Stream, *texts: str, livemode: bool = True) -> tuple[BatchJob, int, int]:
    rows = [RowValues({"review": text}, None, {"id": f"r-{text}"}) for text in texts]
    with organization_scope(stream.organization_id):
        taken = push_rows(actor=SYSTEM, stream=stream, rows=rows, livemode=livemode)
    return taken.part, taken.first, taken.last


def test_stream__rows_pushed_between_runs__are_answered_and_read_in_order_of_answers() -> None:
    stream = make_stream(make_project())
    part, first, last = push(stream, "a", "b")
    assert (first, last) == (1, 2)
    run_batch_pump()
    assert push(stream, "c")[1:] == (3, 3)
    run_batch_pump()
    sweep()

    job = reload(part)
    assert (job.status, job.total, job.succeeded, job.answered) == (JobStatus.IN_PROGRESS, 3, 3, 3)
    with organization_scope(stream.organization_id):
        page = stream_queries.answers_after(stream, "", limit=2)
        rest = stream_queries.answers_after(stream, page.cursor, limit=10)
        assert stream_queries.answers_after(stream, rest.cursor, limit=10).rows == []
    assert [row.item.answer_number for row in (*page.rows, *rest.rows)] == [1, 2, 3]
    assert sorted(row.metadata["id"] for row in (*page.rows, *rest.rows)) == ["r-a", "r-b", "r-c"]
    assert rest.rows[0].variables == {"review": "c"}


def test_stream__closed__runs_what_waits_and_ends() -> None:
    stream = make_stream(make_project())
    part, _, _ = push(stream, "a")
    with organization_scope(stream.organization_id):
        close_stream(actor=SYSTEM, stream=stream)
        with pytest.raises(Conflict) as refused:
            push_rows(actor=SYSTEM, stream=stream, rows=[RowValues({}, None, {})], livemode=True)
    run_batch_pump()
    sweep()

    assert refused.value.code == "stream_closed"
    assert (reload(part).status, reload(part).succeeded) == (JobStatus.COMPLETED, 1)


def test_stream__a_new_day_or_a_moved_label__begins_a_new_part() -> None:
    project = make_project()
    stream = make_stream(project)
    part, _, _ = push(stream, "a")
    with organization_scope(project.organization_id):
        BatchJob.objects.filter(pk=part.pk).update(created_at=part.created_at - timedelta(days=1))
    tomorrow, first, _ = push(stream, "b")
    with organization_scope(project.organization_id):
        prompt = Prompt.objects.get(name=stream.prompt_name)
        prompt_services.move_label(actor=SYSTEM, prompt=prompt, label="production", number=2)
    released, _, _ = push(stream, "c")
    run_batch_pump()
    sweep()

    assert len({part.pk, tomorrow.pk, released.pk}) == 3
    assert (first, released.version_number) == (1, 2)
    assert [reload(job).status for job in (part, tomorrow, released)] == [
        JobStatus.COMPLETED,
        JobStatus.COMPLETED,
        JobStatus.IN_PROGRESS,
    ]
    with organization_scope(project.organization_id):
        found = stream_queries.answers_after(stream, "", limit=10)
        more = stream_queries.answers_after(stream, found.cursor, limit=10)
        last = stream_queries.answers_after(stream, more.cursor, limit=10)
    assert [row.variables["review"] for page in (found, more, last) for row in page.rows] == ["a", "b", "c"]


def test_stream__a_day_whose_cap_is_used_up__takes_no_more_until_tomorrow() -> None:
    stream = make_stream(make_project())
    part, _, _ = push(stream, "a")
    with organization_scope(stream.organization_id):
        BatchJob.objects.filter(pk=part.pk).update(status="cancelled", stop_reason="cost_cap")
    with pytest.raises(Conflict) as refused:
        push(stream, "b")

    assert refused.value.code == "stream_stopped"


def test_stream__a_part_retried_without_its_stopped_rows__takes_no_more() -> None:
    stream = make_stream(make_project())
    part, _, _ = push(stream, "a", "b")
    with organization_scope(stream.organization_id):
        BatchJob.objects.filter(pk=part.pk).update(claim_limit=1)
    run_batch_pump()
    with organization_scope(stream.organization_id):
        BatchItem.objects.filter(batch=part).update(status="failed")
        counts = {"pending": 0, "succeeded": 0, "failed": 1, "cancelled": 1}
        BatchJob.objects.filter(pk=part.pk).update(status="cancelled", stop_reason="cost_cap", **counts)
        retry_failed(actor=SYSTEM, job=reload(part), choice=RetryChoice(stopped=False))

    following, _, _ = push(stream, "c")
    run_batch_pump()
    sweep()

    part, following = reload(part), reload(following)
    assert (part.status, part.succeeded, part.cancelled) == (JobStatus.CANCELLED, 1, 1)
    assert (following.pk != part.pk, following.succeeded) == (True, 1)


def test_keep_rows__of_a_part_that_takes_rows__is_refused_until_the_stream_is_closed() -> None:
    stream = make_stream(make_project())
    part, _, _ = push(stream, "a")
    with organization_scope(stream.organization_id):
        with pytest.raises(Conflict) as refused:
            keep_rows(actor=SYSTEM, job=reload(part), name="Reviews")
        close_stream(actor=SYSTEM, stream=stream)
        kept = keep_rows(actor=SYSTEM, job=reload(part), name="Reviews")

    assert (refused.value.code, kept.name) == ("batch_running", "Reviews")


def test_push__by_a_test_key_into_a_live_stream__is_refused() -> None:
    stream = make_stream(make_project())
    with pytest.raises(PermissionDenied) as refused:
        push(stream, "a", livemode=False)

    assert refused.value.code == "live_key_needed"


@pytest.mark.parametrize("name", ["", "Upper", "a b", "x" * 65, "-a"])
def test_open_stream__a_bad_name__is_refused(name: str) -> None:
    project = make_project()
    with organization_scope(project.organization_id), pytest.raises(InvalidRequest) as refused:
        open_stream(
            actor=SYSTEM, project=project, name=name, prompt=PromptReference("p"), options=BatchOptions()
        )

    assert refused.value.param == "name"
