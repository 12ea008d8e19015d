"""Retention in the words of its pages. Pure but for the plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from apps.billing import plans
from apps.core.formatting import format_number
from apps.retention import rules
from apps.retention.models import DataClass, PurgeRun
from apps.retention.queries import DryRun
from apps.retention.rules import Rule, Settings
from apps.tenants.models import Organization, Project

NO_LIMIT: Final = "no limit"
STAYS: Final = (
    ("Sums by hour and day", "Requests, tokens, cost and times of analytics: no content, no people.", ""),
    ("Audit events", "Who by id, what and when, in their chain. Policies take their personal part only.", ""),
    ("Prompts, versions and labels", "They go when somebody deletes them; no policy takes them.", ""),
    ("Cached answers", "Sealed, and only where a call asked for it.", "a day at most"),
    ("Backups", "What a policy deletes is still in backups that were made before.", "they are replaced"),
)


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class of data on the page; `own` are the projects that differ, with their words."""

    rule: Rule
    kept: str
    note: str
    own: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PurgeRow:
    """One execution; `gone` are the classes of which something went."""

    purge: PurgeRun
    by: str
    gone: Sequence[tuple[str, int]]


def class_rows(settings: Settings, organization: Organization, projects: Sequence[Project]) -> list[ClassRow]:
    """Every class with what holds for it, in the order of the rules."""
    return [_class_row(rule, settings, organization, projects) for rule in rules.RULES]


def kept_words(days: int | None) -> str:
    """ "30 days", or that nothing deletes it."""
    if days is None:
        return NO_LIMIT
    return "1 day" if days == 1 else f"{format_number(days)} days"


def above_words(settings: Settings, rule: Rule, *, is_project: bool) -> str:
    """What somebody follows who sets nothing, as a choice: the organization, or the plan."""
    if not is_project:
        longest = settings.longest_days.get(rule.data_class)
        return f"As the plan says: {kept_words(longest)}"
    return f"As the organization: {kept_words(rules.days(settings, rule.data_class))}"


def time_left(until: datetime | None, now: datetime) -> str:
    """ "27 days left" of what is kept until a moment; nothing once it is over."""
    if until is None or until <= now:
        return ""
    days = (until - now).days
    return "less than a day left" if not days else f"{days:,} day{'s' if days > 1 else ''} left"


def purge_rows(purges: Sequence[PurgeRun]) -> list[PurgeRow]:
    """Executions with their words."""
    return [_purge_row(purge) for purge in purges]


def stays(now: datetime) -> list[tuple[str, str, str]]:
    """What no policy deletes: what it is, why, and until when ("" for as long as the organization)."""
    until = plans.ledger_kept_until(now)
    ledger = (
        "Usage events and invoices",
        f"Books of account: {plans.LEDGER_YEARS} years from the end of their year, without content.",
        f"{until:%-d %B %Y} for those of {now:%Y}",
    )
    return [ledger, *STAYS]


def dry_run_rows(found: DryRun) -> list[tuple[str, str, int, bool]]:
    """Class, project, how many, and whether there are more than were counted."""
    return [
        (count.data_class.label, count.project.name if count.project else "", count.count, count.is_more)
        for count in found.counts
    ]


def _class_row(
    rule: Rule, settings: Settings, organization: Organization, projects: Sequence[Project]
) -> ClassRow:
    data_class = rule.data_class
    own = [
        (project.name, kept_words(rules.days(settings, data_class, project.pk)))
        for project in projects
        if (project.pk, data_class) in settings.project_days
    ]
    kept = kept_words(rules.days(settings, data_class))
    note = ""
    if data_class == DataClass.RUN_PAYLOADS:
        never = [(project.name, "never stored") for project in projects if project.stores_content is False]
        own += never
        if not organization.stores_content:
            kept = "never stored"
    if kept == NO_LIMIT:
        note = "until somebody deletes it"
    elif kept != "never stored" and data_class not in settings.organization_days:
        note = "the plan's maximum"
    return ClassRow(rule, kept, note, own)


def _purge_row(purge: PurgeRun) -> PurgeRow:
    by = "the night" if purge.night else "a member who is gone"
    if purge.requested_by is not None:
        by = purge.requested_by.display_name
    gone = [
        (rule.data_class.label, purge.counts[rule.data_class])
        for rule in rules.RULES
        if purge.counts.get(rule.data_class)
    ]
    return PurgeRow(purge, by, gone)
