"""The list of incidents: its columns, filters and file."""

from dataclasses import dataclass
from typing import Final

from apps.analytics.incidents import queries, words
from apps.analytics.incidents.models import Incident, WatchedMetric
from apps.core.tables import Column, Filter, Table, register

DELETED: Final = "a deleted prompt"
STATES: Final = [(queries.OPEN, "Open"), (queries.CLOSED, "Closed")]


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """An incident in the list, in words."""

    incident: Incident
    prompt: str

    @property
    def words(self) -> str:
        """What got worse."""
        return words.summary(self.incident)

    @property
    def badge(self) -> str:
        """Which badge the state has."""
        return "failed" if self.incident.is_open else "match"

    @property
    def state(self) -> str:
        """The state in a word."""
        return "Open" if self.incident.is_open else "Closed"

    @property
    def before(self) -> str:
        """What was usual."""
        return words.value_words(self.incident.metric, self.incident.before_value)

    @property
    def now(self) -> str:
        """What opened it."""
        return words.value_words(self.incident.metric, self.incident.now_value)

    @property
    def last(self) -> str:
        """What the last look saw."""
        return words.value_words(self.incident.metric, self.incident.last_value)


def rows_of(incidents: list[Incident]) -> list[IncidentRow]:
    """The rows of some incidents; one statement."""
    names = queries.prompt_names(incidents)
    return [IncidentRow(each, names.get(each.prompt_id, DELETED)) for each in incidents]


INCIDENTS: Final = register(
    Table[Incident, IncidentRow](
        key="incidents",
        prefix=Incident.PREFIX,
        noun=("incident", "incidents"),
        search="Search incidents by prompt",
        default_sort="-opened",
        prepare=rows_of,
        filters=(Filter("state", "State", STATES), Filter("metric", "Metric", WatchedMetric.choices)),
        columns=(
            Column("id", "Id", lambda row: row.incident.public_id, export_only=True),
            Column("prompt", "Incident", lambda row: row.prompt, always=True),
            Column("version", "Version", lambda row: row.incident.version_number, export_only=True),
            Column("metric", "Metric", lambda row: row.incident.metric, export_only=True),
            Column("state", "State", lambda row: row.state),
            Column("before", "Usual", lambda row: row.incident.before_value, numeric=True),
            Column("now", "When opened", lambda row: row.incident.now_value, numeric=True),
            Column("last", "Last seen", lambda row: row.incident.last_value, numeric=True, default=False),
            Column("opened", "Opened", lambda row: row.incident.opened_at, sort="opened_at", downwards=True),
            Column(
                "closed",
                "Closed",
                lambda row: row.incident.closed_at,
                sort="closed_at",
                nullable=True,
                downwards=True,
            ),
            Column("because", "Closed because", lambda row: row.incident.closed_because, export_only=True),
            Column("rule", "Found by", lambda row: row.incident.rule, export_only=True),
            Column(
                "acknowledged",
                "Acknowledged",
                lambda row: row.incident.acknowledged_at,
                sort="acknowledged_at",
                nullable=True,
                downwards=True,
                default=False,
            ),
        ),
    )
)
