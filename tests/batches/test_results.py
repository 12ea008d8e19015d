"""Result files."""

import csv
import io
from decimal import Decimal
from typing import Any

import orjson
import pyarrow.parquet
import pytest

from apps.batches.models import BatchItem, BatchJob
from apps.batches.results import rows as reading
from apps.batches.results.formats import ResultFormat, write_results
from apps.batches.results.selecting import NO_FILTERS, ResultFilters
from apps.batches.results.words import cost_text
from apps.core.scope import organization_scope
from apps.datasets.mapping import RowValues
from tests.batches.support import reload, run_batch_pump
from tests.factories import make_batch, make_content

pytestmark = pytest.mark.django_db(transaction=True)


def read_file(
    job: BatchJob, name: ResultFormat, filters: ResultFilters = NO_FILTERS, after: int = 0
) -> bytes:
    return b"".join(write_results(reload(job), name, filters, after=after))


def read_csv(job: BatchJob) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_file(job, "csv").decode(), newline="")))


def read_lines(job: BatchJob, filters: ResultFilters = NO_FILTERS) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in read_file(job, "jsonl", filters).splitlines()]


def test_csv__cells_like_formulas__get_an_apostrophe() -> None:
    job = make_batch(rows=[RowValues({"review": "=cmd|' /C calc'!A0"}, "@x", {})], content=make_content())
    run_batch_pump()

    row = read_csv(job)[0]

    assert row["review"].startswith("'=cmd")
    assert row["expected"] == "'@x"


def test_csv__a_price_that_is_unknown__is_spelled_out() -> None:
    job = make_batch(rows=1)
    run_batch_pump()
    with organization_scope(job.organization_id):
        BatchItem.objects.update(cost=None, cost_status="unknown")

    row = read_csv(job)[0]

    assert (row["cost_usd"], row["cost_status"]) == ("unknown", "unknown")


def test_csv__a_variable_named_as_our_column__keeps_both() -> None:
    job = make_batch(rows=[RowValues({"output": "theirs"}, None, {})], content=make_content("{{ output }}"))
    run_batch_pump()

    row = read_csv(job)[0]

    assert row["output"] == "theirs"
    assert row["output (2)"]


def test_csv__across_chunks_and_continued__keeps_order_and_misses_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 4)
    job = make_batch(rows=11)
    run_batch_pump()

    assert [int(row["row"]) for row in read_csv(job)] == list(range(1, 12))
    whole, rest = read_file(job, "csv"), read_file(job, "csv", after=7)
    assert whole.endswith(rest)
    assert rest.startswith(b"8,")


def test_csv__rows_larger_than_a_chunk_may_be__come_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK_BYTES", 10)
    job = make_batch(rows=3)
    run_batch_pump()

    assert [len(chunk) for chunk in reading.read_chunks(reload(job), NO_FILTERS)] == [1, 1, 1]


def test_lines__rows_that_nobody_has_taken__are_waiting_and_have_their_input() -> None:
    job = make_batch(rows=3)

    lines = read_lines(job)

    assert [line["status"] for line in lines] == ["pending"] * 3
    assert lines[1]["input"]["review"] == "Great product 2."
    assert lines[0]["output"] is None
    assert read_lines(job, ResultFilters(status="succeeded")) == []
    assert len(read_lines(job, ResultFilters(status="pending"))) == 3


def test_lines__filters__are_those_of_the_page() -> None:
    rows = [
        RowValues({"review": text}, expected, {})
        for text, expected in (("Great.", "Positive"), ("Bad.", "x"))
    ]
    job = make_batch(rows=rows)
    run_batch_pump()

    assert [line["row"] for line in read_lines(job, ResultFilters(match="differs"))] == [2]
    assert [line["row"] for line in read_lines(job, ResultFilters(search="GREAT"))] == [1]
    assert read_lines(job, ResultFilters(code="provider_failed")) == []


def test_lines__answers_cut_in_the_table__are_whole_and_read_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = make_batch(rows=3, content=make_content())
    run_batch_pump()
    with organization_scope(job.organization_id):
        whole = BatchItem.objects.get(number=2).output
        BatchItem.objects.update(output=whole[:3], output_truncated=True)

    assert read_lines(job)[1]["output"] == whole
    monkeypatch.setattr(reading, "CHUNK_BYTES", 1_000)
    assert read_lines(job)[1]["output"] == whole


def test_parquet__numbers_money_and_times__keep_their_types() -> None:
    job = make_batch(rows=2)
    run_batch_pump()

    table = pyarrow.parquet.read_table(io.BytesIO(read_file(job, "parquet")))

    kinds = {field.name: str(field.type) for field in table.schema}
    assert kinds["row"] == kinds["input_tokens"] == "int64"
    assert kinds["cost_usd"] == "decimal128(20, 10)"
    assert kinds["match"] == "bool"
    assert kinds["finished_at"] == "timestamp[us, tz=UTC]"
    first = table.to_pylist()[0]
    assert (first["row"], first["review"], first["sentiment"]) == (1, "Great product 1.", "Positive")
    assert first["match"] is True
    assert isinstance(first["cost_usd"], Decimal)


def test_openai_lines__rows_that_have_ended__are_named_by_row() -> None:
    job = make_batch(rows=2)
    assert read_file(job, "openai") == b""
    run_batch_pump()

    lines = [orjson.loads(line) for line in read_file(job, "openai").splitlines()]

    assert [line["custom_id"] for line in lines] == ["row-1", "row-2"]
    assert lines[0]["response"]["body"]["choices"][0]["finish_reason"] == "stop"


def test_cost_text__small_amounts__are_plain_digits() -> None:
    assert cost_text(Decimal("0.0000012300"), "priced") == "0.00000123"
