"""What is deleted when: one ordered table of rules, and the decision whether a row is due.

The decision is pure. The statements of `selecting` ask the same functions for the instant before which rows
are due and for the prompts that are held, so there is one place that knows policies, plans and holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from apps.retention.models import LONGEST_DAYS, DataClass

FOR_GOOD: Final = "the organization is deleted"


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold in force, on a project or on one of its prompts."""

    project_id: UUID
    prompt_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides for one organization at one moment.

    A class that is named without days is kept; `project_days` goes over `organization_days`, and what the
    plan allows at most (`longest_days`) over both.
    """

    organization_days: Mapping[DataClass, int | None] = field(default_factory=dict)
    project_days: Mapping[tuple[UUID, DataClass], int | None] = field(default_factory=dict)
    longest_days: Mapping[DataClass, int] = field(default_factory=dict)
    holds: frozenset[Hold] = frozenset()


@dataclass(frozen=True, slots=True)
class Row:
    """What the decision needs to know of a row. `since` is when its age began, None before it has."""

    data_class: DataClass
    since: datetime | None
    project_id: UUID | None = None
    prompt_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One class of data: what goes, from when its age counts, what stays and until when.

    `per_project` says whether projects may differ and holds name them; a class without belongs to the whole
    organization, and any hold in force keeps all of it. No policy has fewer than `fewest_days`.
    """

    data_class: DataClass
    goes: str
    age: str
    stays: str
    until: str = FOR_GOOD
    per_project: bool = True
    fewest_days: int = 1


RULES: Final = (
    Rule(
        DataClass.RUN_PAYLOADS,
        goes="What runs sent and answered: messages, variables, parameters, answers, also where an answer is "
        "kept for questions that mean the same. The words of feedback.",
        age="from the moment of the run",
        stays="The run's facts: tokens, cost, times, model, status, error, metadata, the user id that was "
        "sent. Feedback's scores.",
        until="the facts of runs go",
    ),
    Rule(
        DataClass.BATCHES,
        goes="Of batches that have ended: every row's answer, files of answers, and the content of the runs "
        "it made.",
        age="from the end of the batch",
        stays="The batch with its counts and costs, and each row's status, tokens, cost and time.",
    ),
    Rule(
        DataClass.RUN_FACTS,
        goes="Whole runs with their content and feedback.",
        age="from the moment of the run",
        stays="Analytics: sums by hour and day, without content and without people. The usage ledger.",
    ),
    Rule(
        DataClass.DATASETS,
        goes="Rows and original files of dataset versions that a newer version took the place of, "
        "or whose dataset is archived.",
        age="from when it was replaced or archived",
        stays="The newest version of every dataset that is not archived, versions that a draft is based on, "
        "and versions of batches whose results are still kept. Of the others: number, columns and counts.",
    ),
    Rule(
        DataClass.FILES,
        goes="Uploaded originals, lists of rows that could not be used, and exports.",
        age="from the upload or the export",
        stays="What was read from a file: a dataset has its rows without it.",
        per_project=False,
    ),
    Rule(
        DataClass.AUDIT,
        goes="The personal part of the audit log: names, addresses, IPs, and long values before and after.",
        age="from the event",
        stays="The events themselves, who by id, what and when. The chain still verifies.",
        per_project=False,
        # Nobody can do something and have who did it forgotten before somebody could look.
        fewest_days=30,
    ),
)
"""In the order in which they are carried out: batches give up their runs' content before whole runs go, and
what they keep of datasets before datasets go."""

BY_CLASS: Final = {rule.data_class: rule for rule in RULES}
assert set(BY_CLASS) == set(DataClass)
FEWEST_DAYS: Final = {rule.data_class: rule.fewest_days for rule in RULES}
MOST_DAYS: Final = LONGEST_DAYS


def set_days(settings: Settings, data_class: DataClass, project_id: UUID | None) -> int | None:
    """What the policies say, before the plan: the project's row, else the organization's, else keep."""
    if project_id is not None and (project_id, data_class) in settings.project_days:
        return settings.project_days[project_id, data_class]
    return settings.organization_days.get(data_class)


def days(settings: Settings, data_class: DataClass, project_id: UUID | None = None) -> int | None:
    """How many days a class is kept in a project; None for as long as nobody deletes it.

    Content never outlives its run: the facts' days bound it too.
    """
    limits = [set_days(settings, data_class, project_id), settings.longest_days.get(data_class)]
    if data_class == DataClass.RUN_PAYLOADS:
        limits.append(days(settings, DataClass.RUN_FACTS, project_id))
    given = [limit for limit in limits if limit is not None]
    return min(given) if given else None


def cutoff(
    settings: Settings, data_class: DataClass, project_id: UUID | None, at: datetime
) -> datetime | None:
    """The latest beginning of an age that is over at an instant; None when nothing of the class is due."""
    limit = days(settings, data_class, project_id)
    if limit is None or is_project_held(settings, data_class, project_id):
        return None
    return at - timedelta(days=limit)


def is_project_held(settings: Settings, data_class: DataClass, project_id: UUID | None) -> bool:
    """Whether a hold keeps all of a class in a project (or in the organization, for a class without one)."""
    if not BY_CLASS[data_class].per_project:
        return bool(settings.holds)
    return any(hold.project_id == project_id and hold.prompt_id is None for hold in settings.holds)


def held_prompts(settings: Settings, project_id: UUID | None) -> list[UUID]:
    """The prompts of a project that a hold names, in a fixed order."""
    named = {hold.prompt_id for hold in settings.holds if hold.project_id == project_id}
    return sorted(prompt_id for prompt_id in named if prompt_id is not None)


def is_held(settings: Settings, row: Row) -> bool:
    """Whether a hold keeps a row."""
    if is_project_held(settings, row.data_class, row.project_id):
        return True
    return row.prompt_id is not None and row.prompt_id in held_prompts(settings, row.project_id)


def kept_until(settings: Settings, row: Row) -> datetime | None:
    """When a row is due, holds aside; None for a row that is kept or whose age has not begun."""
    limit = days(settings, row.data_class, row.project_id)
    return None if limit is None or row.since is None else row.since + timedelta(days=limit)


def is_due(settings: Settings, row: Row, at: datetime) -> bool:
    """Whether a row goes at an instant: what is kept for 30 days goes when it is exactly 30 days old."""
    until = kept_until(settings, row)
    return until is not None and until <= at and not is_held(settings, row)
