"""Shapes of how a batch is controlled by API: options of the start, changes, retries, re-runs."""

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from apps.batches.api.delivery_shapes import DeliveryField
from apps.batches.api.money import MoneyField
from apps.batches.models import LARGEST_CONCURRENCY, BatchJob, PauseReason, Priority
from apps.batches.rules import STATUSES, RerunRule, RowChoice
from apps.batches.services.changing import BatchChanges
from apps.core import ids

PRIORITIES: Final = {priority.name.lower(): priority.value for priority in Priority}
RETRIED: Final = ("failed", "cancelled")


class PriorityField(serializers.ChoiceField):
    """Whose rows come first among an organization's batches."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=list(PRIORITIES), **kwargs)


class RowChoiceSerializer(serializers.Serializer[Any]):
    """Finished rows by what came out; they meet all that is given, and something is."""

    status = serializers.ChoiceField(choices=STATUSES, required=False)
    codes = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=20,
        help_text="Rows that failed for one of these reasons.",
    )
    match = serializers.ChoiceField(
        choices=["differs", "match"], required=False, help_text="Against the expected value."
    )
    field = serializers.CharField(
        max_length=255, required=False, help_text="A number field of the parsed output, such as confidence."
    )
    below = serializers.FloatField(required=False, help_text="Rows whose `field` is lower than this.")
    score_below = serializers.IntegerField(
        min_value=2, max_value=5, required=False, help_text="Rows with feedback of a lower score."
    )


class RerunRuleSerializer(serializers.Serializer[Any]):
    """What is run over which rows once the batch has ended. Left out: the batch's own version and model."""

    where = RowChoiceSerializer()
    model = serializers.CharField(max_length=255, required=False)
    version = serializers.IntegerField(min_value=1, required=False)
    label = serializers.CharField(max_length=36, required=False)  # type: ignore[assignment]


class ControlSerializer(serializers.Serializer[Any]):
    """Options of a batch that say when and how its rows are run."""

    priority = PriorityField(required=False)
    start_at = serializers.DateTimeField(required=False, help_text="Not before this time; at once without.")
    deadline = serializers.DateTimeField(
        required=False, help_text="What is not run until then is left out; 24 hours after the start without."
    )
    sample_rows = serializers.IntegerField(
        min_value=1, required=False, help_text="Run these first rows, then pause until resumed."
    )
    deduplicate = serializers.BooleanField(
        required=False, help_text="Answer rows with equal values of the prompt's variables once."
    )
    rerun_rule = RerunRuleSerializer(required=False)
    delivery = DeliveryField(required=False)


class ChangeBatchSerializer(serializers.Serializer[Any]):
    """What is to be different; what is left out stays."""

    priority = PriorityField(required=False)
    concurrency = serializers.IntegerField(min_value=1, max_value=LARGEST_CONCURRENCY, required=False)
    cost_cap_usd = MoneyField(
        required=False, help_text="Not below what is spent and set aside for calls in flight."
    )
    start_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Of a scheduled batch; null starts it now."
    )
    deadline = serializers.DateTimeField(required=False)


class RetryBatchSerializer(serializers.Serializer[Any]):
    """Which rows are run once more: all that failed or were stopped, unless something is chosen."""

    statuses = serializers.ListField(
        child=serializers.ChoiceField(choices=RETRIED), required=False, min_length=1
    )
    codes = serializers.ListField(
        child=serializers.CharField(max_length=64),
        required=False,
        max_length=20,
        help_text="Only rows that failed for one of these reasons.",
    )
    cost_cap_usd = MoneyField(required=False, help_text="A higher cap, over all rounds together.")


class RerunBatchSerializer(serializers.Serializer[Any]):
    """A new batch over chosen rows of this one. Left out: this batch's version, model and concurrency."""

    where = RowChoiceSerializer()
    version = serializers.IntegerField(min_value=1, required=False)
    label = serializers.CharField(max_length=36, required=False)  # type: ignore[assignment]
    model = serializers.CharField(max_length=255, required=False)
    name = serializers.CharField(max_length=120, required=False)
    concurrency = serializers.IntegerField(min_value=1, max_value=LARGEST_CONCURRENCY, required=False)
    cost_cap_usd = MoneyField(required=False, help_text="The batch stops before it costs more.")


class StandingSerializer(serializers.Serializer[Any]):
    """How a batch is controlled, as its object tells it."""

    priority = PriorityField()
    start_at = serializers.DateTimeField(allow_null=True)
    pause_reason = serializers.ChoiceField(choices=PauseReason.choices)
    paused_at = serializers.DateTimeField(allow_null=True)
    sample_rows = serializers.IntegerField(allow_null=True)
    deduplicate = serializers.BooleanField()
    duplicates = serializers.IntegerField(help_text="Rows that an equal row's answer stands for.")
    rerun_of = serializers.CharField(allow_null=True, help_text="The batch whose rows these are.")
    rerun_choice = RowChoiceSerializer(allow_null=True)
    rerun_rule = RerunRuleSerializer(allow_null=True)
    rerun_problem = serializers.CharField(help_text="Why the rule's batch could not be started.")
    delivery = DeliveryField()


def control_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """The validated fields of ControlSerializer as those of BatchOptions."""
    names = ("start_at", "deadline", "sample_rows", "deduplicate", "delivery")
    options = {name: values[name] for name in names if name in values}
    if "priority" in values:
        options["priority"] = PRIORITIES[values["priority"]]
    if "rerun_rule" in values:
        told = values["rerun_rule"]
        options["rerun_rule"] = RerunRule(
            row_choice(told["where"]), told.get("model", ""), told.get("version"), told.get("label")
        )
    return options


def changes_of(values: Mapping[str, Any]) -> BatchChanges:
    """The validated fields of ChangeBatchSerializer."""
    given = dict(values)
    if "priority" in given:
        given["priority"] = PRIORITIES[given["priority"]]
    if "cost_cap_usd" in given:
        given["cost_cap"] = given.pop("cost_cap_usd")
    return BatchChanges(**given)


def row_choice(values: Mapping[str, Any]) -> RowChoice:
    """The validated fields of RowChoiceSerializer."""
    return RowChoice(**{**values, "codes": tuple(values.get("codes", ()))})


def standing_json(job: BatchJob) -> dict[str, Any]:
    """See StandingSerializer."""
    return {
        "priority": Priority(job.priority).name.lower(),
        "start_at": job.start_at,
        "pause_reason": job.pause_reason,
        "paused_at": job.paused_at,
        "sample_rows": job.sample_rows,
        "deduplicate": job.deduplicate,
        "duplicates": job.duplicates,
        "rerun_of": ids.encode(BatchJob.PREFIX, job.rerun_of_id) if job.rerun_of_id else None,
        "rerun_choice": job.rerun_choice or None,
        "rerun_rule": job.rerun_rule or None,
        "rerun_problem": job.rerun_problem,
        "delivery": job.delivery,
    }
