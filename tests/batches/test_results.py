"""Result files."""

import csv
import io
from decimal import Decimal

import pytest

from apps.batches import results
from apps.batches.models import BatchItem, BatchJob
from apps.core.scope import organization_scope
from apps.datasets.mapping import RowValues
from tests.batches.support import reload, run_batch_pump
from tests.factories import make_batch, make_content

pytestmark = pytest.mark.django_db(transaction=True)


def read_csv(job: BatchJob) -> list[dict[str, str]]:
    text = b"".join(results.stream_csv(reload(job))).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_stream_csv__cells_like_formulas__get_an_apostrophe() -> None:
    job = make_batch(rows=[RowValues({"review": "=cmd|' /C calc'!A0"}, "@x", {})], content=make_content())
    run_batch_pump()

    row = read_csv(job)[0]

    assert row["review"].startswith("'=cmd")
    assert row["expected"] == "'@x"


def test_stream_csv__a_price_that_is_unknown__is_spelled_out() -> None:
    job = make_batch(rows=1)
    run_batch_pump()
    with organization_scope(job.organization_id):
        BatchItem.objects.update(cost=None, cost_status="unknown")

    row = read_csv(job)[0]

    assert (row["cost_usd"], row["cost_status"]) == ("unknown", "unknown")


def test_stream_csv__a_variable_named_as_our_column__keeps_both() -> None:
    job = make_batch(rows=[RowValues({"output": "theirs"}, None, {})], content=make_content("{{ output }}"))
    run_batch_pump()

    row = read_csv(job)[0]

    assert row["output"] == "theirs"
    assert row["output (2)"]


def test_stream_csv__across_chunks__keeps_order_and_misses_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "CHUNK", 4)
    job = make_batch(rows=11)
    run_batch_pump()

    assert [int(row["row"]) for row in read_csv(job)] == list(range(1, 12))


def test_stream_jsonl__an_answer_cut_in_the_table__is_whole() -> None:
    job = make_batch(rows=1, content=make_content())
    run_batch_pump()
    with organization_scope(job.organization_id):
        whole = BatchItem.objects.get().output
        BatchItem.objects.update(output=whole[:3], output_truncated=True)

    line = b"".join(results.stream_jsonl(reload(job)))

    assert whole.encode() in line


def test_cost_text__small_amounts__are_plain_digits() -> None:
    assert results.cost_text(BatchItem(cost=Decimal("0.0000012300"), cost_status="priced")) == "0.00000123"
