"""Every address that a browser may GET, filled in with rows of one project that has some of everything."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.contrib.sessions.backends.base import SessionBase

from apps.analytics.models import Grain, Incident
from apps.core.scope import organization_scope
from apps.prompts.models import Prompt
from apps.prompts.queries import latest_version
from apps.runs.feedback import Giver
from apps.runs.models import Run
from apps.runs.services import give_feedback
from apps.runs.types import Attempt
from apps.tenants.models import Project, User
from tests.access.matrix import ANY_METHOD, Fill, Route, table
from tests.access.routes_prompts import FILLS as OF_PROMPTS
from tests.factories import (
    TENANT_FACTORIES,
    make_batch,
    make_dataset_version,
    make_incident,
    make_prompt,
    make_rollup,
    make_run,
    make_segment,
    owner_of,
)

# What programs read, and signing out, which would end the walk.
_NO_PAGES: Final = (
    "api/",
    "^api/",
    "v1/",
    "^v1/",
    "healthz",
    "readyz",
    "accounts/logout/",
    "docs/api/postman.json",
)
# Pages that ask about chosen rows: about all there are.
_CHOOSING: Final = (
    "prompts/tag/",
    "prompts/move/",
    "prompts/archive/",
    "batches/stop/",
    "batches/pause/",
    "runs/dataset/",
    "alerts/acknowledge/",
    "incidents/acknowledge/",
    "alerts/mute/",
    "alerts/enable/",
    "alerts/disable/",
    "alerts/delete/",
)

_CALLS: Final[dict[str, Any]] = {
    "requests": 60,
    "failed": 3,
    "errors": {"provider_timeout": 2, "output_invalid": 1},
    "schema_failures": 1,
    "cost": Decimal("0.42"),
    "priced": 50,
    "unknown_price": 10,
    "input_tokens": 6_000,
    "output_tokens": 900,
    "latency_buckets": [300, 400],
    "latency_counts": [50, 7],
    "latency_sum": 60_000,
    "overrides": {"variable:tone": 40, "any": 40},
    "feedback_sum": 30,
    "feedback_count": 8,
}


_CHANGES: Final = [
    {
        "kind": "label",
        "at": "2026-11-21T16:00:00+00:00",
        "name": "production",
        "action": "move",
        "after": "3",
    },
    {"kind": "model", "at": "2026-11-21T16:05:00+00:00", "before": "openai/gpt-5", "after": "local/llama"},
]


@dataclass(frozen=True)
class WebPage:
    """One address of a filled project; ``pattern`` is what the resolver calls it."""

    pattern: str
    address: str


def fill_project(project: Project) -> None:
    """Add a row of every model to the project, by each model's factory."""
    for make in TENANT_FACTORIES.values():
        make(project)


def staff_owner(project: Project) -> User:
    """The organization's owner, who may see the pages of staff too."""
    owner = owner_of(project.organization)
    User.objects.filter(id=owner.id).update(is_staff=True, is_superuser=True)
    return owner


def prove_again(session: SessionBase) -> None:
    """Let pages that change a second factor open without asking for the password again."""
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session.save()


def web_pages(project: Project) -> list[WebPage]:
    """Every page of the product, with the addresses of rows that have neighbours."""
    rich = _rich_rows(project)
    return [
        WebPage(route.path, route.address(_values(project, route, fills, rich)) + _query(route))
        for route, fills in table()
        if route.method in {"GET", ANY_METHOD} and not route.path.startswith(_NO_PAGES)
    ]


def _query(route: Route) -> str:
    return "?select=all" if route.path.endswith(_CHOOSING) and not route.parameters else ""


def _values(
    project: Project, route: Route, fills: Mapping[str, Fill], rich: Mapping[str, str]
) -> dict[str, str]:
    if route.example:
        return {}
    with organization_scope(project.organization_id):
        own = {name: fills[name](project) for name in sorted(route.parameters - set(rich))}
    # A dataset's own version is its first; a prompt has more to compare.
    return {**rich, **own, "number": "2" if fills is OF_PROMPTS else "1"}


def _counted_calls(project: Project, prompt: Prompt) -> Incident:
    """Hours of calls in roll-ups, of a prompt's version and of none, some of unknown price; its incident."""
    with organization_scope(project.organization_id):
        version = latest_version(prompt)
    given = {"prompt_id": prompt.pk, "version_id": version.pk, "version_number": version.number}
    for more in (given | {"label": "staging"}, given | {"model": "local/llama"}, {"model": "local/llama"}):
        segment = make_segment(project=project, **more)
        for hours in range(3):
            hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
            for grain in (Grain.FIVE_MINUTES, Grain.HOUR):
                make_rollup(segment=segment, grain=grain, starts_at=hour, **_CALLS)
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        make_rollup(segment=segment, grain=Grain.DAY, starts_at=today, **_CALLS)
    began_at = datetime.now(UTC) - timedelta(minutes=90)
    return make_incident(project=project, began_at=began_at, changes=_CHANGES, **given)


def _served_run(project: Project) -> Run:
    """A run with all that its page can tell: a fallback, a redaction, a source in the cache."""
    hit = {"rule": "pii", "kind": "pii", "type": "email", "side": "output", "place": "output"}
    return make_run(
        project=project,
        unit="cohort-7",
        background=True,
        cached_from=make_run(project=project).pk,
        attempts=(Attempt(0, 9, "timeout", kind="call"), Attempt(20, 9, kind="fallback")),
        facts={
            "asked_model": "sandbox/fast",
            "cache_kind": "semantic",
            "cache_distance": 0.03,
            "guardrail_hits": (
                hit | {"start": 2, "end": 9, "action": "redact", "score": None, "signals": []},
            ),
        },
    )


def _rich_rows(project: Project) -> dict[str, str]:
    """Parameters of patterns: a prompt with versions and labels, a run with feedback, a started batch."""
    prompt = make_prompt(project=project, versions=3, labels={"staging": 2, "production": 1})
    make_prompt(project=project, versions=3)
    dataset = make_dataset_version(project=project)
    batch, run = make_batch(project=project), _served_run(project)
    with organization_scope(project.organization_id):
        give_feedback(giver=Giver("user:1", "1"), run=run, score=4, comment="Good.")
    incident = _counted_calls(project, prompt)
    return {
        "organization": project.organization.slug,
        "project": project.slug,
        "prompt": prompt.public_id,
        "name": prompt.name,
        "label": "production",
        "dataset": dataset.dataset.public_id,
        "version": dataset.public_id,
        "batch": batch.public_id,
        "run": run.public_id,
        "incident": incident.public_id,
    }
