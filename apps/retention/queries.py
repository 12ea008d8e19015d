"""Reads of retention, inside the organization's scope."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from apps.batches.models import BatchJob
from apps.billing import plans
from apps.core import errors
from apps.core.models import find
from apps.core.scope import organization_scope, system_scope
from apps.retention import rules, selecting
from apps.retention.models import DataClass, LegalHold, PurgeRun, RetentionPolicy
from apps.retention.rules import Hold, Row, Settings
from apps.runs.models import Run, RunPayload, RunSource
from apps.tenants.models import Organization, Project

# Counting further would take longer than a page may.
COUNTED_AT_MOST: Final = 1_000_000
# Each may take seconds of the database, so one person gets no more.
COUNTS_PER_MINUTE: Final = 30
PURGES_SHOWN: Final = 10
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_Place = tuple[DataClass, Project | None]


@dataclass(frozen=True, slots=True)
class DueCount:
    """How many rows of a class would go now; `project` is None for a class of the whole organization."""

    data_class: DataClass
    project: Project | None
    count: int

    @property
    def is_more(self) -> bool:
        """Whether there are more than were counted."""
        return self.count > COUNTED_AT_MOST


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would go now, in the order of the rules; classes and projects with nothing due are left out."""

    at: datetime
    counts: Sequence[DueCount]

    def total(self, data_class: DataClass) -> int:
        """How many rows of a class would go in all projects."""
        return sum(found.count for found in self.counts if found.data_class == data_class)


@dataclass(frozen=True, slots=True)
class RunRetention:
    """How long a run is kept: when content and facts are due (None: never by itself), and whether held."""

    content_until: datetime | None
    facts_until: datetime | None
    held: bool


def load_settings(organization_id: UUID) -> Settings:
    """Policies, holds and the plan's limits as they are now; two statements, in any scope."""
    organization_days: dict[DataClass, int | None] = {}
    project_days: dict[tuple[UUID, DataClass], int | None] = {}
    policies = RetentionPolicy.all_organizations.filter(organization_id=organization_id)
    for policy in policies:
        data_class = DataClass(policy.data_class)
        if policy.project_id is None:
            organization_days[data_class] = policy.days
        else:
            project_days[policy.project_id, data_class] = policy.days
    holds = LegalHold.all_organizations.filter(organization_id=organization_id, released_at__isnull=True)
    longest = plans.plan_of(organization_id).longest_days
    return Settings(
        organization_days=organization_days,
        project_days=project_days,
        longest_days={DataClass(name): days for name, days in longest.items()},
        holds=frozenset(Hold(*pair) for pair in holds.values_list("project_id", "prompt_id")),
    )


def get_policy(data_class: DataClass, project: Project | None) -> RetentionPolicy | None:
    """The organization's or a project's own policy of a class, if there is one."""
    return RetentionPolicy.objects.filter(data_class=data_class, project=project).first()


def policies() -> QuerySet[RetentionPolicy]:
    """Every policy of the organization."""
    return RetentionPolicy.objects.select_related("project").order_by("data_class", "project_id")


def holds() -> QuerySet[LegalHold]:
    """Every legal hold there was, newest first."""
    related = ("project", "prompt", "placed_by", "released_by")
    return LegalHold.objects.select_related(*related).order_by("-id")


def open_holds() -> QuerySet[LegalHold]:
    """The legal holds in force, newest first."""
    return holds().filter(released_at__isnull=True)


def get_hold(public_id: str) -> LegalHold:
    """One legal hold. Raises NotFound."""
    hold = find(holds(), public_id)
    if hold is None:
        raise errors.NotFound("There is no such legal hold.", code="legal_hold_not_found")
    return hold


def recent_purges() -> list[PurgeRun]:
    """The last executions, newest first."""
    return list(PurgeRun.objects.select_related("requested_by").order_by("-id")[:PURGES_SHOWN])


def run_retention(run: Run) -> RunRetention:
    """How long one run is kept. The content of a batch's run goes with the batch, if that is sooner."""
    settings = load_settings(run.organization_id)
    moment = created_at(run.pk)
    content, facts = (
        Row(data_class, moment, run.project_id, run.prompt_id)
        for data_class in (DataClass.RUN_PAYLOADS, DataClass.RUN_FACTS)
    )
    ends = [rules.kept_until(settings, content)]
    if run.source == RunSource.BATCH and run.source_id is not None:
        ended_at = BatchJob.objects.filter(pk=run.source_id).values_list("completed_at", flat=True).first()
        ends.append(rules.kept_until(settings, Row(DataClass.BATCHES, ended_at, run.project_id)))
    return RunRetention(
        min((end for end in ends if end is not None), default=None),
        rules.kept_until(settings, facts),
        rules.is_held(settings, content),
    )


def has_content(run: Run) -> bool:
    """Whether a run's content is still there."""
    return RunPayload.objects.filter(pk=run.pk).exists()


def created_at(row_id: UUID) -> datetime:
    """The time in an id, which is what runs are found by."""
    return datetime.fromtimestamp((row_id.int >> 80) / 1000, tz=timezone.now().tzinfo)


def dry_run(organization: Organization, at: datetime | None = None) -> DryRun:
    """What a purge would delete now, counted by the statements that it deletes by. Opens its own scopes."""
    now = at or timezone.now()
    with system_scope():
        oldest = oldest_content()
    with organization_scope(organization.id):
        settings = load_settings(organization.id)
        projects = list(Project.objects.order_by("name", "id"))
        places: list[_Place] = []
        for rule in rules.RULES:
            places += [(rule.data_class, each) for each in (projects if rule.per_project else [None])]
        found = [
            selecting.due(settings, data_class, organization.id, project.pk if project else None, now)
            for data_class, project in places
        ]
        counts = _counted(found, oldest)
    shown = [DueCount(*place, count) for place, count in zip(places, counts, strict=True) if count]
    return DryRun(now, shown)


def oldest_content() -> UUID:
    """An id just before that of any run's oldest content: one look into an index, in the system scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM runs_runpayload ORDER BY id LIMIT 1")
        found = cursor.fetchone()
    return UUID(int=found[0].int - 1) if found else selecting.LAST_ID


def _counted(places: Sequence[selecting.Due | None], oldest: UUID) -> list[int]:
    """How many rows are due in each place; one statement, however many projects there are."""
    parts: list[str] = []
    parameters: dict[str, Any] = {}
    for place, found in enumerate(places):
        for sql in found.counted if found else ():
            number = len(parts)
            # Each part has parameters of its own.
            renamed = _PARAMETER.sub(rf"%(\1_{number})s", sql)
            parts.append(
                f"SELECT {place}, (SELECT count(*) FROM ({renamed} LIMIT {COUNTED_AT_MOST + 1}) AS due)"
            )
            own = {**found.parameters} if found else {}
            if sql.endswith(selecting.WITH_CONTENT):
                # What was deleted before needs no second look.
                own["after"] = oldest
            parameters |= {f"{name}_{number}": value for name, value in own.items()}
    counts = [0] * len(places)
    if parts:
        with connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(parts), parameters)
            for place, count in cursor.fetchall():
                counts[place] += count
    return counts
