"""The events that webhooks tell of: their names, what they mean, and what their object is made of.

A room writes a message into the outbox with the change; its payload holds ids and facts. What stands in no
entry here is told to nobody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from apps.core import ids
from apps.core.outbox import OutboxEvent
from apps.runs.background.queries import find_run_or_background
from apps.runs.bodies import background_body, run_body
from apps.runs.models import BackgroundRun

Payload = dict[str, Any]
Told = tuple[Payload, Payload]
"""The object as it is now, and what was different in it before."""

_META: Final = frozenset({"project_id", "actor", "previous"})


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event. `everywhere`: it is of the organization; endpoints of all projects hear it."""

    name: str
    words: str
    tell: Callable[[OutboxEvent], Told]
    group: str
    everywhere: bool = False


def project_of(event: OutboxEvent) -> UUID | None:
    """The project that an event is of; None for one of the whole organization."""
    return ids.decode_or_none("prj", str(event.payload.get("project_id", "")))


def _plain(kind: str) -> Callable[[OutboxEvent], Told]:
    """The payload as it is, under the name of its kind."""

    def tell(event: OutboxEvent) -> Told:
        facts = {name: value for name, value in event.payload.items() if name not in _META}
        return {"object": kind, **facts}, event.payload.get("previous", {})

    return tell


def _version(event: OutboxEvent) -> Told:
    facts = event.payload
    told = {name: facts[name] for name in ("prompt_id", "prompt", "version")}
    return {"id": facts["version_id"], "object": "prompt_version", **told}, {}


def _label(event: OutboxEvent) -> Told:
    facts = event.payload
    told = {name: facts[name] for name in ("prompt_id", "prompt", "label")}
    now = {"object": "label", **told, "version": facts["to_version"], "reason": facts.get("reason") or None}
    return now, {"version": facts["from_version"]}


def _run(event: OutboxEvent) -> Told:
    """The run in numbers, as the API's list shows it: what it said is read with the key that may read it."""
    project_id = project_of(event)
    assert project_id is not None
    run = find_run_or_background(project_id, event.payload["run"])
    if not isinstance(run, BackgroundRun):
        return run_body(run), {}
    shown = background_body(run)
    return {name: value for name, value in shown.items() if name not in ("content", "content_state")}, {}


TEST: Final = "webhook.test"
EVENT_TYPES: Final = (
    EventType("prompt.version.created", "A version of a prompt was published.", _version, "Prompts"),
    EventType(
        "prompt.label.moved",
        "A label was set, moved to another version, rolled back or removed (version null).",
        _label,
        "Prompts",
    ),
    EventType(
        "prompt.serving.changed",
        "How a prompt, or everything in the project, is served was changed.",
        _plain("serving_policy"),
        "Prompts",
    ),
    EventType("run.completed", "A background run has its answer.", _run, "Background runs"),
    EventType("run.failed", "A background run failed or was refused.", _run, "Background runs"),
    EventType("run.cancelled", "A background run was cancelled.", _run, "Background runs"),
    EventType("batch.scheduled", "A batch waits for its start time.", _plain("batch"), "Batches"),
    EventType("batch.started", "A batch begins to run its rows.", _plain("batch"), "Batches"),
    EventType(
        "batch.paused",
        "A batch is paused: on request, or because its sample is through.",
        _plain("batch"),
        "Batches",
    ),
    EventType("batch.resumed", "A paused batch goes on.", _plain("batch"), "Batches"),
    EventType("batch.retried", "Rows of an ended batch are run once more.", _plain("batch"), "Batches"),
    EventType("batch.completed", "Every row of a batch has been run.", _plain("batch"), "Batches"),
    EventType(
        "batch.cancelled",
        "A batch was stopped: by somebody, its cost cap or the quota.",
        _plain("batch"),
        "Batches",
    ),
    EventType("batch.expired", "A batch was not finished by its deadline.", _plain("batch"), "Batches"),
    EventType(
        "batch.failed", "A batch could not begin, because its rows can't be used.", _plain("batch"), "Batches"
    ),
    EventType(
        "stream.answered",
        "A stream has new answers; read them behind `after`.",
        _plain("stream"),
        "Batches",
    ),
    EventType("alert.fired", "An alert rule warns or alerts.", _plain("alert"), "Alerts and incidents"),
    EventType("alert.resolved", "An alert rule is back to OK.", _plain("alert"), "Alerts and incidents"),
    EventType("incident.opened", "A version got worse.", _plain("incident"), "Alerts and incidents"),
    EventType("incident.closed", "An incident is over.", _plain("incident"), "Alerts and incidents"),
    EventType("key.created", "An API key was made.", _plain("api_key"), "Access"),
    EventType("key.revoked", "An API key was revoked.", _plain("api_key"), "Access"),
    EventType("member.invited", "Somebody was invited.", _plain("invitation"), "Access", everywhere=True),
    EventType("member.joined", "Somebody became a member.", _plain("member"), "Access", everywhere=True),
    EventType(
        "member.role_changed", "A member has another role.", _plain("member"), "Access", everywhere=True
    ),
    EventType("member.removed", "A member left or was removed.", _plain("member"), "Access", everywhere=True),
)
BY_NAME: Final = {each.name: each for each in EVENT_TYPES}


def find_type(topic: str) -> EventType | None:
    """The entry of an outbox topic; None for one that nobody is told of."""
    return BY_NAME.get(topic)
