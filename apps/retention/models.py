"""How long data is kept: policies, legal holds, and the purges that carry them out."""

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q

from apps.core.models import TenantModel
from apps.retention.erasure_models import OPEN_STATES, ErasureKind, ErasureRequest, ErasureState
from apps.retention.export_models import UNDER_WAY, ExportPart, ExportState, OrganizationExport

__all__ = [
    "OPEN_STATES",
    "UNDER_WAY",
    "DataClass",
    "ErasureKind",
    "ErasureRequest",
    "ErasureState",
    "ExportPart",
    "ExportState",
    "LegalHold",
    "OrganizationExport",
    "PurgeRun",
    "PurgeState",
    "RetentionPolicy",
]

LONGEST_DAYS = 36_500


class DataClass(models.TextChoices):
    """What a policy is about. `rules.RULES` says of each what goes and what stays."""

    RUN_PAYLOADS = "run_payloads", "Content of runs"
    RUN_FACTS = "run_facts", "Facts of runs"
    BATCHES = "batches", "Batch inputs and outputs"
    DATASETS = "datasets", "Old dataset versions"
    FILES = "files", "Uploads and exports"
    AUDIT = "audit", "Audit details"


class RetentionPolicy(TenantModel):
    """How many days one class of data is kept; without days it is kept until somebody deletes it.

    Without project it is the organization's, and a project's own row goes over it. The plan's maximum goes
    over both.
    """

    PREFIX: ClassVar[str] = "rtp"

    project = models.ForeignKey(
        "tenants.Project", on_delete=models.CASCADE, null=True, blank=True, db_index=False, related_name="+"
    )
    project_id: UUID | None
    data_class = models.CharField(max_length=16, choices=DataClass.choices)
    days = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantModel.Meta):
        verbose_name_plural = "retention policies"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "project", "data_class"],
                name="retention_policy_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(days__gte=1, days__lte=LONGEST_DAYS) | Q(days__isnull=True),
                name="retention_policy_days",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.data_class}: {'keep' if self.days is None else f'{self.days} days'}"


class LegalHold(TenantModel):
    """Nothing of a project, or of one of its prompts, is deleted by a policy until the hold is released."""

    PREFIX: ClassVar[str] = "lgh"

    project = models.ForeignKey(
        "tenants.Project", on_delete=models.RESTRICT, db_index=False, related_name="+"
    )
    project_id: UUID
    prompt = models.ForeignKey(
        "prompts.Prompt", on_delete=models.RESTRICT, null=True, blank=True, db_index=False, related_name="+"
    )
    prompt_id: UUID | None
    reason = models.CharField(max_length=500)
    placed_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    placed_by_id: UUID | None
    placed_at = models.DateTimeField(auto_now_add=True)
    release_reason = models.CharField(max_length=500, blank=True, default="")
    released_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    released_by_id: UUID | None
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "-id"], name="legal_hold_list"),
            models.Index(
                fields=["organization", "project"],
                name="legal_hold_open",
                condition=Q(released_at__isnull=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "project", "prompt"],
                condition=Q(released_at__isnull=True),
                name="legal_hold_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class PurgeState(models.TextChoices):
    """How a purge stands."""

    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"


class PurgeRun(TenantModel):
    """One execution of an organization's policies, in small transactions that can stop and go on anywhere.

    `night` is the day it belongs to, none for one that somebody asked for. What is due is judged as of
    `judged_at`; policies and holds are those of the moment of each transaction. `position` says where to go
    on, `counts` what went by class so far, `longest_ms` how long the longest transaction took.
    """

    PREFIX: ClassVar[str] = "prg"

    night = models.DateField(null=True, blank=True)
    requested_by = models.ForeignKey(
        "tenants.User", on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+"
    )
    requested_by_id: UUID | None
    state = models.CharField(max_length=10, choices=PurgeState.choices, default=PurgeState.RUNNING)
    judged_at = models.DateTimeField()
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    position = models.JSONField(default=dict, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    chunks = models.PositiveIntegerField(default=0)
    longest_ms = models.PositiveIntegerField(default=0)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["organization", "-id"], name="purge_list"),
            # Whoever works goes on with the oldest, whosever it is.
            models.Index(fields=["id"], name="purge_running", condition=Q(state="running")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organization", "night"], name="purge_once_a_night"),
            models.UniqueConstraint(
                fields=["organization"], condition=Q(state="running"), name="purge_one_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id
