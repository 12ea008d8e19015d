"""The list of alert rules: its columns, filters and file."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models.functions import Lower
from django.utils import timezone

from apps.analytics.alerts import queries, words
from apps.analytics.alerts.models import AlertKind, AlertRule, AlertState
from apps.analytics.alerts.spec import RuleSpec, spec_of
from apps.core.tables import Column, Filter, Table, register

TOLD: Final = [(queries.ACTIVE, "On"), (queries.MUTED, "Muted"), (queries.OFF, "Off")]


@dataclass(frozen=True, slots=True)
class AlertRow:
    """A rule in the list, with what it is called and what it says in words."""

    rule: AlertRule
    spec: RuleSpec
    scope: list[tuple[str, str]]
    now: datetime

    @property
    def words(self) -> str:
        """What fires it."""
        return words.rule_words(self.spec)

    @property
    def scope_words(self) -> str:
        """Which calls it is about, in one line; empty for all."""
        return ", ".join(f"{head.lower() if head != 'API key' else head} {name}" for head, name in self.scope)

    @property
    def badge(self) -> str:
        """Which badge the state has."""
        return words.BADGES[AlertState(self.rule.state)][0] if self.rule.evaluated_at else "pending"

    @property
    def state(self) -> str:
        """The state in a word or two."""
        return words.state_words(self.rule)

    @property
    def value(self) -> str:
        """The last value in words; empty for a rule that was never looked at."""
        return words.value_words(self.spec, self.rule.last_value) if self.rule.evaluated_at else ""

    @property
    def muted(self) -> bool:
        """Whether it sends nothing now though it is on."""
        return self.rule.muted_until is not None and self.rule.muted_until > self.now


def _rows(rules: list[AlertRule]) -> list[AlertRow]:
    names, now = queries.names_for(rules), timezone.now()
    return [
        AlertRow(rule, spec, words.scope_words(spec, names), now)
        for rule, spec in ((rule, spec_of(rule)) for rule in rules)
    ]


ALERTS: Final = register(
    Table[AlertRule, AlertRow](
        key="alerts",
        prefix=AlertRule.PREFIX,
        noun=("alert rule", "alert rules"),
        search="Search alert rules",
        default_sort="state",
        prepare=_rows,
        filters=(
            Filter("state", "State", AlertState.choices),
            Filter("told", "Sends", TOLD),
            Filter("kind", "Kind", AlertKind.choices),
        ),
        columns=(
            Column("id", "Id", lambda row: row.rule.public_id, export_only=True),
            Column("name", "Rule", lambda row: row.rule.name, sort=Lower("name"), always=True),
            Column("kind", "Kind", lambda row: row.rule.kind, export_only=True),
            Column("words", "Fires on", lambda row: row.words, export_only=True),
            Column("scope", "About", lambda row: row.scope_words, export_only=True),
            Column("state", "State", lambda row: row.rule.state, sort="urgency"),
            Column("value", "Last value", lambda row: row.value, numeric=True),
            Column("last_value", "Last value, exactly", lambda row: row.rule.last_value, export_only=True),
            Column("since", "Since", lambda row: row.rule.state_since, sort="state_since", downwards=True),
            Column("enabled", "On", lambda row: row.rule.enabled, export_only=True),
            Column("muted_until", "Muted until", lambda row: row.rule.muted_until, export_only=True),
            Column("recipients", "Mail to", lambda row: len(row.rule.recipients), numeric=True),
            Column(
                "looked",
                "Last looked at",
                lambda row: row.rule.evaluated_at,
                sort="evaluated_at",
                nullable=True,
                downwards=True,
                default=False,
            ),
            Column("made", "Made", lambda row: row.rule.created_at, sort="id", downwards=True, default=False),
        ),
    )
)
