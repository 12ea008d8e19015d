"""Roll-ups: what runs add up to, by what they were called with and by when.

A segment is one combination of prompt, version, label, model, key and source; a roll-up holds the numbers of
one segment in one period. Both are written by the roll-up job only, and hold no content and no person.
"""

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.analytics.alerts.models import AlertEvent, AlertRule
from apps.analytics.counting.models import CountedHistory, KeptFacts
from apps.analytics.incidents.models import DegradationLook, DegradationSetting, Incident
from apps.core.models import TenantModel

__all__ = [
    "AlertEvent",
    "AlertRule",
    "CountedHistory",
    "DegradationLook",
    "DegradationSetting",
    "Grain",
    "Incident",
    "KeptFacts",
    "Rollup",
    "Segment",
]


class Grain(models.IntegerChoices):
    """How long a roll-up's period is, in minutes. Periods begin at whole multiples in UTC."""

    FIVE_MINUTES = 5, "5 minutes"
    HOUR = 60, "Hour"
    DAY = 1440, "Day"


class Segment(TenantModel):
    """One combination of what runs are counted by. Its id is made from the combination itself."""

    project_id = models.UUIDField()
    source = models.CharField(max_length=16)
    prompt_id = models.UUIDField(null=True)
    version_id = models.UUIDField(null=True)
    version_number = models.IntegerField(null=True)
    label = models.CharField(max_length=64, blank=True)
    connection = models.CharField(max_length=100)
    model = models.CharField(max_length=255)
    api_key_id = models.UUIDField(null=True)
    sandbox = models.BooleanField()

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "project_id", "prompt_id"], name="segment_prompt"),
        ]
        constraints = [
            # What roll-ups point at, so that the key names the organization as well.
            models.UniqueConstraint(fields=["organization", "id"], name="segment_of_organization"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Rollup(TenantModel):
    """The numbers of a segment in one period. Its id is made from segment, grain and start.

    Money is in US dollars and known prices only; runs whose price or tokens are unknown are counted apart.
    In a sandbox's segment it is made up and never belongs into a sum with others. A run is in the period in
    which it was asked for, which its id tells. `errors` are the codes of failed runs; `overrides` are names
    as runs have them, with "any" for the runs that have some. Feedback counts for its run's period.
    Latency is that of succeeded runs that a provider answered, in ms, as `histograms` has it.
    """

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, db_index=False, related_name="+")
    segment_id: UUID
    grain = models.SmallIntegerField(choices=Grain.choices)
    starts_at = models.DateTimeField()
    requests = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    cancelled = models.BigIntegerField(default=0)
    errors = models.JSONField(default=dict)
    schema_failures = models.BigIntegerField(default=0)
    cache_hits = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    unknown_tokens = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=24, decimal_places=10, default=0)
    priced = models.BigIntegerField(default=0)
    free = models.BigIntegerField(default=0)
    unknown_price = models.BigIntegerField(default=0)
    latency_buckets = ArrayField(models.IntegerField(), default=list)
    latency_counts = ArrayField(models.BigIntegerField(), default=list)
    latency_sum = models.BigIntegerField(default=0)
    overrides = models.JSONField(default=dict)
    feedback_sum = models.BigIntegerField(default=0)
    feedback_count = models.BigIntegerField(default=0)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "grain", "starts_at", "segment"], name="rollup_period"),
            # Recounts and the purge work across organizations.
            models.Index(fields=["grain", "starts_at"], name="rollup_start"),
        ]

    def __str__(self) -> str:
        return f"{self.segment_id} {self.get_grain_display()} {self.starts_at:%Y-%m-%d %H:%M}"
