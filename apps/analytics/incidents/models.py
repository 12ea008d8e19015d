"""Incidents, by which rule a project finds them, and how far the looking has come."""

from datetime import datetime
from typing import ClassVar, Final
from uuid import UUID

from django.db import models
from django.db.models import F, Q

from apps.analytics.degradation.metrics import BY_KEY
from apps.core.models import TenantModel
from apps.tenants.models import Project, User


class WatchedMetric(models.TextChoices):
    """What can get worse; the keys of `degradation.metrics`."""

    ERROR_RATE = "error_rate", "Error rate"
    LATENCY = "latency", "Latency"
    COST = "cost", "Cost per call"
    SCHEMA_FAILURES = "schema_failures", "Schema failures"
    FEEDBACK = "feedback", "Feedback"


class DegradationRule(models.TextChoices):
    """How a project finds out; the values of `degradation.rules.Rule`."""

    STATISTICAL = "statistical", "Statistical test"
    SIMPLE = "simple", "Simple rule"
    OFF = "off", "Off"


class ClosedBecause(models.TextChoices):
    """Why an incident is over."""

    RECOVERED = "recovered", "Recovered"
    QUIET = "quiet", "No more calls"
    SETTLED = "settled", "Became usual"
    RULE = "rule", "Rule changed"


RULES_OF_INCIDENTS: Final = (DegradationRule.STATISTICAL, DegradationRule.SIMPLE)


class Incident(TenantModel):
    """One version got worse in one metric: since when, from what to what, and what changed beside it.

    Values are a share of one for rates, ms for latency (the geometric mean), US dollars for cost, a mark
    from 1 to 5 for feedback; `before_count` and `now_count` are the calls (or marks) behind them. `began_at`
    is the beginning of the window that showed it, `opened_at` when it was seen, `last_value` that of the last
    look. `score` is in standard deviations and `chance` how likely a single look is to reach it by chance;
    None under the simple rule. `changes` are facts of `changes.Change`, as they were at the opening.
    """

    PREFIX: ClassVar[str] = "inc"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    prompt_id = models.UUIDField()
    version_id = models.UUIDField()
    version_number = models.PositiveIntegerField()
    metric = models.CharField(max_length=16, choices=WatchedMetric.choices)
    rule = models.CharField(max_length=12, choices=DegradationRule.choices)
    began_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_because = models.CharField(max_length=12, choices=ClosedBecause.choices, blank=True)
    window_minutes = models.PositiveSmallIntegerField()
    before_value = models.FloatField()
    now_value = models.FloatField()
    last_value = models.FloatField()
    before_count = models.PositiveBigIntegerField()
    now_count = models.PositiveBigIntegerField()
    score = models.FloatField(null=True)
    chance = models.FloatField(null=True)
    changes = models.JSONField(default=list)
    looked_until = models.DateTimeField()
    calm_looks = models.PositiveSmallIntegerField(default=0)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    acknowledged_by_id: UUID | None

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "project", "-opened_at"], name="incident_project"),
            models.Index(fields=["organization", "version_id", "metric"], name="incident_version"),
            # The job looks across organizations, so this one does not lead with the organization.
            models.Index(fields=["opened_at"], condition=Q(closed_at__isnull=True), name="incident_open"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "version_id", "metric"],
                condition=Q(closed_at__isnull=True),
                name="incident_open_once",
            ),
            models.CheckConstraint(
                condition=Q(metric__in=WatchedMetric.values) & Q(rule__in=list(RULES_OF_INCIDENTS)),
                name="incident_words",
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True, closed_because="")
                | Q(closed_at__gte=F("opened_at"), closed_because__in=ClosedBecause.values),
                name="incident_closed_because",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_open(self) -> bool:
        """Whether it lasts."""
        return self.closed_at is None

    def is_open_at(self, moment: datetime) -> bool:
        """Whether it was open at a moment."""
        return self.opened_at <= moment and (self.closed_at is None or self.closed_at > moment)

    @property
    def metric_name(self) -> str:
        """What got worse."""
        return BY_KEY[self.metric].name


class DegradationSetting(TenantModel):
    """By which rule a project finds incidents; without a row by the statistical test."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    rule = models.CharField(max_length=12, choices=DegradationRule.choices)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "project"], name="degradation_setting_project"),
            models.CheckConstraint(
                condition=Q(rule__in=DegradationRule.values), name="degradation_setting_rule"
            ),
        ]

    def __str__(self) -> str:
        return self.get_rule_display()


class DegradationLook(models.Model):
    """Up to when versions have been looked at: one row for the installation, moved on by who looks."""

    id = models.SmallIntegerField(primary_key=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"until {self.until:%Y-%m-%d %H:%M}"
