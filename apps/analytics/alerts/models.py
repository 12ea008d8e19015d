"""Alert rules and the history of what they said."""

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.core.models import TenantModel
from apps.tenants.models import Project, User

SHORTEST_WINDOW, LONGEST_WINDOW = 5, 7 * 24 * 60
LONGEST_RENOTIFY = 168
MOST_RECIPIENTS = 20


class AlertKind(models.TextChoices):
    """What a rule looks at."""

    THRESHOLD = "threshold", "Value"
    CHANGE = "change", "Change"
    NO_DATA = "no_data", "No calls"
    DEGRADATION = "degradation", "Degradation"
    QUOTA = "quota", "Quota"


class AlertState(models.TextChoices):
    """What a rule said last. No data is never OK: too few calls say nothing."""

    OK = "ok", "OK"
    WARN = "warn", "Warning"
    ALERT = "alert", "Alert"
    NO_DATA = "no_data", "No data"


class Comparison(models.TextChoices):
    ABOVE = "above", "above"
    BELOW = "below", "below"


class ComparedWith(models.TextChoices):
    """The period that a change is measured against; each as long as the rule's window."""

    PREVIOUS = "previous", "the time just before"
    DAY = "day", "the same time a day before"
    WEEK = "week", "the same time a week before"


class EventReason(models.TextChoices):
    """Why an event was written."""

    CHANGED = "changed", "State changed"
    REMINDER = "reminder", "Reminder"
    QUOTA = "quota", "Quota level reached"
    TEST = "test", "Test mail"


class AlertRule(TenantModel):
    """What is watched, whom to tell, and what it said last.

    `value` and `warn_value` are in the metric's own unit (a share of one, ms, US dollars, a count); for a
    change they are in percent, or in percentage points where the metric is a share, and negative for a fall.
    `recipients` are ids of memberships; who left gets nothing. Rules are looked at every five minutes or
    every hour: `evaluated_until` is the newest such moment, `due_at` the next. `notified_at` is None as long
    as nobody was told of the present alert; `calm_since` is when the value came back within its limits,
    before the state follows.
    """

    PREFIX: ClassVar[str] = "alr"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=12, choices=AlertKind.choices)
    metric = models.CharField(max_length=40, blank=True)
    prompt_id = models.UUIDField(null=True)
    version_id = models.UUIDField(null=True)
    version_number = models.IntegerField(null=True)
    label = models.CharField(max_length=64, blank=True)
    model = models.CharField(max_length=255, blank=True)
    api_key_id = models.UUIDField(null=True)
    source = models.CharField(max_length=16, blank=True)
    sandbox = models.BooleanField(default=False)
    comparison = models.CharField(max_length=5, choices=Comparison.choices, default=Comparison.ABOVE)
    value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    warn_value = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    window_minutes = models.PositiveIntegerField(default=60)
    compared_with = models.CharField(max_length=8, choices=ComparedWith.choices, blank=True)
    minimum_sample = models.PositiveIntegerField(default=1)
    levels = ArrayField(models.PositiveSmallIntegerField(), default=list)
    recipients = ArrayField(models.UUIDField(), default=list)
    renotify_hours = models.PositiveSmallIntegerField(null=True)
    enabled = models.BooleanField(default=True)
    muted_until = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    acknowledged_by_id: UUID | None
    state = models.CharField(max_length=8, choices=AlertState.choices, default=AlertState.NO_DATA)
    state_since = models.DateTimeField()
    calm_since = models.DateTimeField(null=True)
    last_value = models.DecimalField(max_digits=30, decimal_places=10, null=True)
    last_sample = models.BigIntegerField(null=True)
    evaluated_at = models.DateTimeField(null=True)
    evaluated_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    notified_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "project", "-id"], name="alert_rule_project"),
            # The job looks across organizations, so this one does not lead with the organization.
            models.Index(fields=["due_at"], condition=Q(enabled=True), name="alert_rule_due"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "name"], name="alert_rule_name"),
            # The target of the events' composite foreign key.
            models.UniqueConstraint(fields=["organization", "id"], name="alert_rule_organization_id"),
            models.CheckConstraint(
                condition=Q(kind__in=AlertKind.values) & Q(state__in=AlertState.values),
                name="alert_rule_words",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=[AlertKind.THRESHOLD, AlertKind.CHANGE])
                | (~Q(metric="") & Q(value__isnull=False) & Q(comparison__in=Comparison.values)),
                name="alert_rule_has_limit",
            ),
            models.CheckConstraint(
                condition=(Q(kind=AlertKind.CHANGE) & Q(compared_with__in=ComparedWith.values))
                | (~Q(kind=AlertKind.CHANGE) & Q(compared_with="")),
                name="alert_rule_compares",
            ),
            models.CheckConstraint(
                condition=Q(warn_value__isnull=True)
                | Q(comparison=Comparison.ABOVE, warn_value__lt=F("value"))
                | Q(comparison=Comparison.BELOW, warn_value__gt=F("value")),
                name="alert_rule_warns_before",
            ),
            models.CheckConstraint(
                condition=Q(window_minutes__gte=SHORTEST_WINDOW, window_minutes__lte=LONGEST_WINDOW),
                name="alert_rule_window",
            ),
            models.CheckConstraint(condition=Q(minimum_sample__gte=1), name="alert_rule_sample"),
            models.CheckConstraint(
                condition=(Q(kind=AlertKind.QUOTA) & Q(levels__len__gte=1)) | ~Q(kind=AlertKind.QUOTA),
                name="alert_rule_levels",
            ),
            models.CheckConstraint(
                condition=Q(version_number__isnull=True, version_id__isnull=True)
                | Q(version_number__isnull=False, version_id__isnull=False, prompt_id__isnull=False),
                name="alert_rule_version_of_prompt",
            ),
            models.CheckConstraint(
                condition=Q(renotify_hours__isnull=True)
                | Q(renotify_hours__gte=1, renotify_hours__lte=LONGEST_RENOTIFY),
                name="alert_rule_renotify",
            ),
            models.CheckConstraint(
                condition=Q(recipients__len__lte=MOST_RECIPIENTS), name="alert_rule_recipients"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class AlertEvent(TenantModel):
    """One line of a rule's history. `until` is the end of the window that `value` was measured in.

    `mails` says how many people were written to. A quota's level has one event in a period, which the
    database keeps.
    """

    PREFIX: ClassVar[str] = "ale"

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, db_index=False, related_name="+")
    rule_id: UUID
    reason = models.CharField(max_length=10, choices=EventReason.choices)
    from_state = models.CharField(max_length=8, choices=AlertState.choices)
    to_state = models.CharField(max_length=8, choices=AlertState.choices)
    value = models.DecimalField(max_digits=30, decimal_places=10, null=True)
    sample = models.BigIntegerField(null=True)
    until = models.DateTimeField()
    level = models.PositiveSmallIntegerField(null=True)
    period_start = models.DateTimeField(null=True)
    mails = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "rule", "-id"], name="alert_event_rule"),
            # For the cascade, which knows only the rule.
            models.Index(fields=["rule"], name="alert_event_cascade"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "rule", "period_start", "level"],
                condition=Q(level__isnull=False),
                name="alert_event_level_once",
            ),
            models.CheckConstraint(
                condition=Q(reason__in=EventReason.values)
                & Q(from_state__in=AlertState.values)
                & Q(to_state__in=AlertState.values),
                name="alert_event_words",
            ),
            models.CheckConstraint(
                condition=Q(level__isnull=True) | Q(period_start__isnull=False), name="alert_event_period"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.from_state} → {self.to_state}"
