"""Jobs whose calls answer several rows, or whose rows take several calls, on a real engine."""

from decimal import Decimal
from typing import Any

import pytest

from apps.batches.models import BatchVariant, ItemStatus, JobStatus
from apps.batches.planning import VariantChoice
from apps.batches.services.starting import BatchOptions
from apps.batches.work import parse_work
from apps.billing.models import UsageEvent
from apps.core.errors import InvalidRequest
from apps.core.scope import organization_scope
from apps.datasets.mapping import RowValues
from apps.runs.models import Run
from apps.tenants.models import Project
from tests.batches.support import items_of, reload, run_batch_pump
from tests.factories import make_batch, make_connection, make_content, make_project, make_prompt
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_provider"]

pytestmark = pytest.mark.django_db(transaction=True)

ROWS_VARIABLE = ({"name": "rows", "type": "json", "required": True},)
PARTS_VARIABLE = ({"name": "parts", "type": "json", "required": True},)


def local_project(provider: FakeProvider) -> Project:
    project = make_project()
    make_connection(project=project, name="local", base_url=provider.base_url, models=("*",))
    return project


def reviews(*texts: str, shy: int = -1) -> list[RowValues]:
    return [
        RowValues({"review": text} | ({"shy": True} if number == shy else {}), None, {})
        for number, text in enumerate(texts)
    ]


def test_multi_row__rows_share_calls_and_one_left_out__runs_alone(fake_provider: FakeProvider) -> None:
    job = make_batch(
        project=local_project(fake_provider),
        rows=reviews("a", "bb", "ccc", "dddd", "eeeee", shy=1),
        content=make_content("Measure {{ rows }}", variables=ROWS_VARIABLE),
        options=BatchOptions(
            model="local/rows", work=parse_work({"kind": "multi_row", "rows_per_call": 3}), concurrency=4
        ),
    )

    assert run_batch_pump() == 5

    job = reload(job)
    assert (job.status, job.succeeded, job.running) == (JobStatus.COMPLETED, 5, 0)
    assert [item.parsed for item in items_of(job)] == [{"length": length} for length in range(1, 6)]
    assert [item.attempts for item in items_of(job)] == [1, 2, 1, 1, 1]
    assert fake_provider.calls["rows"] == 3
    with organization_scope(job.organization_id):
        assert (Run.objects.count(), UsageEvent.objects.count()) == (3, 3)
        tokens = sum(run.input_tokens or 0 for run in Run.objects.all())
    assert job.input_tokens == tokens == sum(item.input_tokens or 0 for item in items_of(job))


def test_multi_row__an_answer_that_is_no_list__fails_each_row_after_trying_it_alone(
    fake_provider: FakeProvider,
) -> None:
    job = make_batch(
        project=local_project(fake_provider),
        rows=reviews("a", "bb"),
        content=make_content("Measure {{ rows }}", variables=ROWS_VARIABLE),
        options=BatchOptions(model="local/echo", work=parse_work({"kind": "multi_row"})),
    )

    run_batch_pump()

    assert [item.error_code for item in items_of(job)] == ["answer_unmatched"] * 2
    job = reload(job)
    with organization_scope(job.organization_id):
        assert job.input_tokens == sum(run.input_tokens or 0 for run in Run.objects.all())


def chunked(project: Project, **more: Any) -> Any:
    make_prompt(
        project=project, name="join", content=make_content("Join {{ parts }}", variables=PARTS_VARIABLE)
    )
    reduce = {"prompt": "join", "version": 1, **more}
    return parse_work({"kind": "chunked", "variable": "review", "tokens": 50, "overlap": 0, "reduce": reduce})


def test_chunked__a_long_row__is_cut_and_joined_and_counted_once(fake_provider: FakeProvider) -> None:
    project = local_project(fake_provider)
    long = " ".join(f"word{number}" for number in range(100))
    job = make_batch(
        project=project,
        rows=reviews("short", long),
        content=make_content("Sum up {{ review }}"),
        options=BatchOptions(model="local/echo", work=chunked(project, model="local/echo")),
    )

    assert run_batch_pump() == 2

    job = reload(job)
    short, cut = items_of(job)
    assert (job.status, job.succeeded, short.status) == (JobStatus.COMPLETED, 2, ItemStatus.SUCCEEDED)
    assert "Join [" in cut.output
    with organization_scope(job.organization_id):
        runs = list(Run.objects.order_by("id"))
        assert UsageEvent.objects.count() == len(runs) == fake_provider.calls["echo"] > 4
    assert cut.input_tokens == sum(run.input_tokens or 0 for run in runs) - (short.input_tokens or 0)
    assert job.input_tokens == sum(run.input_tokens or 0 for run in runs)


def test_chunked__a_piece_that_fails__ends_the_row_with_what_it_has_cost() -> None:
    project = make_project()
    long = " ".join(f"word{number}" for number in range(100))
    job = make_batch(
        project=project,
        rows=reviews(long),
        content=make_content("Sum up {{ review }}"),
        options=BatchOptions(
            model="sandbox/standard",
            parameters={"sandbox_error_rate": 1, "max_tokens": 20},
            cost_cap=Decimal(1),
            work=chunked(project),
        ),
    )

    run_batch_pump()

    job = reload(job)
    (item,) = items_of(job)
    assert (item.status, job.failed, job.cost_reserved) == (ItemStatus.FAILED, 1, Decimal(0))
    assert item.error_message.startswith("Piece ")


def test_matrix__two_models__answer_every_row_and_are_counted_apart() -> None:
    variants = (VariantChoice(model="sandbox/fast"), VariantChoice(model="sandbox/standard"))
    job = make_batch(rows=3, options=BatchOptions(variants=variants))
    assert (job.total, job.variant_count) == (6, 2)

    run_batch_pump()

    job = reload(job)
    assert (job.status, job.succeeded) == (JobStatus.COMPLETED, 6)
    with organization_scope(job.organization_id):
        told = list(BatchVariant.objects.order_by("position"))
        assert [each.succeeded for each in told] == [3, 3]
        assert sum(each.cost_used for each in told) == job.cost_used
        models = set(Run.objects.values_list("model", flat=True))
    assert len(models) == 2


@pytest.mark.parametrize(
    ("variants", "code"),
    [
        ((VariantChoice(), VariantChoice()), "variants_invalid"),
        ((VariantChoice(model="sandbox/fast"),) * 11, "variants_invalid"),
    ],
)
def test_matrix__the_same_twice_or_too_many__is_refused(
    variants: tuple[VariantChoice, ...], code: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make_batch(options=BatchOptions(variants=variants))

    assert refused.value.code == code


def test_multi_row__a_prompt_without_the_variable__is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        make_batch(options=BatchOptions(work=parse_work({"kind": "multi_row"})))

    assert (refused.value.code, refused.value.param) == ("work_invalid", "work.variable")
