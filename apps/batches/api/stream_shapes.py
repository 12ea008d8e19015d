"""Shapes of the stream API."""

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from apps.batches.api.money import MoneyField
from apps.batches.api.result_shapes import item_json
from apps.batches.api.work_shapes import WorkSerializer, work_of
from apps.batches.models import LARGEST_CONCURRENCY, BatchJob
from apps.batches.option_records import options_of
from apps.batches.results.pages import ResultRow
from apps.batches.services.starting import DEFAULT_CONCURRENCY, BatchOptions
from apps.batches.services.streams import MOST_ROWS, Taken
from apps.batches.stream_models import Stream
from apps.batches.stream_queries import Answers, Place
from apps.batches.work import as_json
from apps.core.errors import InvalidRequest
from apps.datasets.mapping import RowValues


class OpenStreamSerializer(serializers.Serializer[Any]):
    """A stream to open. Without `version` it follows the label, production where none is named."""

    name = serializers.RegexField(
        r"^[a-z0-9][a-z0-9_-]{0,63}$", help_text="Lower-case letters, digits, - and _; part of its address."
    )
    prompt = serializers.CharField(max_length=255, help_text="The prompt's name.")
    version = serializers.IntegerField(min_value=1, required=False)
    label = serializers.CharField(max_length=36, required=False)  # type: ignore[assignment]
    model = serializers.CharField(max_length=255, required=False, help_text="Instead of the version's model.")
    parameters = serializers.DictField(required=False, help_text="Model parameters over the version's own.")
    concurrency = serializers.IntegerField(
        min_value=1, max_value=LARGEST_CONCURRENCY, default=DEFAULT_CONCURRENCY
    )
    work = WorkSerializer(required=False, help_text="multi_row answers a micro-batch with one call.")
    daily_cost_cap_usd = MoneyField(required=False, help_text="No row of a day (UTC) runs past it.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "version" in attrs and "label" in attrs:
            raise serializers.ValidationError({"label": "Give version or label, not both."})
        return attrs


class StreamRowSerializer(serializers.Serializer[Any]):
    """One row. `id` is yours and comes back with the answer."""

    id = serializers.CharField(max_length=255, required=False)
    variables = serializers.DictField(required=False)
    expected = serializers.CharField(required=False, allow_null=True, trim_whitespace=False)
    metadata = serializers.DictField(required=False)


class PushSerializer(StreamRowSerializer):
    """One row, or several in `rows`. As application/x-ndjson, a row in each line of the body."""

    rows = serializers.ListField(
        child=StreamRowSerializer(), required=False, min_length=1, max_length=MOST_ROWS
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "rows" in attrs and len(attrs) > 1:
            raise serializers.ValidationError({"rows": "Give one row, or rows, not both."})
        if "rows" not in attrs and "variables" not in attrs:
            raise serializers.ValidationError({"variables": "Give the row's variables, or rows."})
        return attrs


class TakenSerializer(serializers.Serializer[Any]):
    """Rows that are kept and will be run."""

    object = serializers.CharField(default="stream_rows")
    stream = serializers.CharField()
    batch = serializers.CharField(help_text="The part that they went to.")
    accepted = serializers.IntegerField()
    first_row = serializers.IntegerField(help_text="The first one's number in the part.")
    last_row = serializers.IntegerField()


class StreamSerializer(serializers.Serializer[Any]):
    """A stream. `batch` is the part that takes rows now: pause and resume it as a batch."""

    id = serializers.CharField()
    object = serializers.CharField(default="stream")
    name = serializers.CharField()
    prompt = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    label = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    model = serializers.CharField(allow_null=True)
    work = serializers.DictField()
    concurrency = serializers.IntegerField()
    daily_cost_cap_usd = serializers.CharField(allow_null=True)
    batch = serializers.CharField(allow_null=True)
    livemode = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class AnswerSerializer(serializers.Serializer[Any]):
    """One answer. Reading goes on behind its `cursor`."""

    object = serializers.CharField(default="stream_result")
    cursor = serializers.CharField()
    id = serializers.CharField(allow_null=True, help_text="Yours, as it came with the row.")
    batch = serializers.CharField()
    row = serializers.IntegerField()
    status = serializers.CharField()
    variables = serializers.DictField()
    metadata = serializers.DictField()
    expected = serializers.CharField(allow_null=True)
    output = serializers.CharField(allow_null=True)
    match = serializers.BooleanField(allow_null=True)
    parsed = serializers.JSONField(allow_null=True)
    error = serializers.DictField(allow_null=True)
    usage = serializers.DictField()
    cost_usd = serializers.CharField(allow_null=True)
    cost_status = serializers.CharField()
    latency_ms = serializers.IntegerField(allow_null=True)
    run_id = serializers.CharField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class AnswersSerializer(serializers.Serializer[Any]):
    """Answers in their order; `next_cursor` is where to go on, also when nothing is there yet."""

    object = serializers.CharField(default="list")
    data = AnswerSerializer(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    next_cursor = serializers.CharField(allow_null=True)
    url = serializers.CharField()


_TOLD: Final = (
    *("row", "status", "variables", "metadata", "expected", "output", "parsed", "match", "error"),
    *("usage", "cost_usd", "cost_status", "latency_ms", "run_id", "finished_at"),
)


def options_from(values: Mapping[str, Any], *, livemode: bool) -> BatchOptions:
    """How a stream's parts run."""
    return BatchOptions(
        model=values.get("model", ""),
        parameters=values.get("parameters", {}),
        concurrency=values["concurrency"],
        cost_cap=values.get("daily_cost_cap_usd"),
        work=work_of(dict(values)),
        livemode=livemode,
    )


def rows_from(told: list[Any]) -> list[RowValues]:
    """The rows of a body. Raises InvalidRequest that names the row."""
    rows = []
    for position, each in enumerate(told):
        serializer = StreamRowSerializer(data=each)
        if not isinstance(each, dict) or not serializer.is_valid() or "variables" not in each:
            message = f"Row {position + 1} is not an object with variables."
            raise InvalidRequest(message, code="row_invalid", param=f"rows.{position}")
        rows.append(row_of(serializer.validated_data))
    return rows


def row_of(values: Mapping[str, Any]) -> RowValues:
    """A row; the caller's id is kept among its metadata."""
    metadata = dict(values.get("metadata", {}))
    if "id" in values:
        metadata["id"] = values["id"]
    return RowValues(dict(values.get("variables", {})), values.get("expected"), metadata)


def taken_json(stream: Stream, taken: Taken) -> dict[str, Any]:
    """What was taken."""
    return {
        "object": "stream_rows",
        "stream": stream.name,
        "batch": taken.part.public_id,
        "accepted": taken.last - taken.first + 1,
        "first_row": taken.first,
        "last_row": taken.last,
    }


def stream_json(stream: Stream) -> dict[str, Any]:
    """A stream."""
    reference, options = options_of(stream.options)
    return {
        "id": stream.public_id,
        "object": "stream",
        "name": stream.name,
        "prompt": stream.prompt_name,
        "version": reference.number,
        "label": None if reference.number else reference.label or "production",
        "model": options.model or None,
        "work": as_json(options.work),
        "concurrency": options.concurrency,
        "daily_cost_cap_usd": None if options.cost_cap is None else f"{options.cost_cap.normalize():f}",
        "batch": stream.part_id and BatchJob(pk=stream.part_id).public_id,
        "livemode": stream.livemode,
        "created_at": stream.created_at,
        "closed_at": stream.closed_at,
    }


def answers_json(answers: Answers) -> list[dict[str, Any]]:
    """Answers, each with the place behind it."""
    return [_answer(row) for row in answers.rows]


def _answer(row: ResultRow) -> dict[str, Any]:
    part: BatchJob = row.item.batch
    told = item_json(part, row, ())
    return {
        "object": "stream_result",
        "cursor": Place(part.pk, row.item.answer_number or 0).cursor,
        "id": row.metadata.get("id"),
        "batch": part.public_id,
        **{name: told[name] for name in _TOLD},
    }
