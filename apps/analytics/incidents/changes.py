"""What changed beside an incident: versions, labels, models, connections and prices of the hours before.

Facts as they were when it opened, plain enough to be kept in a row; words for them are made when shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, Sum

from apps.analytics.models import Grain, Rollup, Segment
from apps.audit import queries as audit
from apps.core import ids
from apps.core.scope import current_organization_id
from apps.prompts.models import LabelMove, PromptVersion
from apps.providers.patterns import matches
from apps.providers.queries import prices_of

HOURS_BEFORE: Final = timedelta(hours=6)
MOST: Final = 12
# From this share of the calls on a model that did not answer before is news.
NEW_MODEL_SHARE: Final = 0.05
_CONNECTIONS: Final = ("connection.created", "connection.updated", "connection.deleted")


@dataclass(frozen=True, slots=True)
class Change:
    """Something that changed. `kind` is version, label, model, connection, price or default_model.

    `name` is a label, a model, a connection or a price's pattern; `before` and `after` are what it went from
    and to (numbers of versions, models), empty where that says nothing. `target` is a public id, if any.
    """

    kind: str
    at: str
    name: str = ""
    action: str = ""
    before: str = ""
    after: str = ""
    target: str = ""


def beside(
    *,
    project_id: UUID,
    prompt_id: UUID,
    version_id: UUID,
    version_number: int,
    began_at: datetime,
    until: datetime,
) -> list[dict[str, Any]]:
    """What changed from six hours before the beginning on, oldest first, at most twelve. Needs the scope."""
    since = began_at - HOURS_BEFORE
    used = _models_used(project_id, prompt_id, version_id, began_at, until)
    found = [
        *_versions(prompt_id, since, until),
        *_labels(prompt_id, since, until),
        *_new_models(used, began_at),
        *_events(project_id, used, since, until),
        *_prices(project_id, used, since, until),
    ]
    return [asdict(each) for each in sorted(found, key=lambda each: each.at)[-MOST:]]


def _versions(prompt_id: UUID, since: datetime, until: datetime) -> Iterator[Change]:
    rows = PromptVersion.objects.filter(prompt_id=prompt_id, created_at__gte=since, created_at__lt=until)
    for each in rows.order_by("-number")[:MOST]:
        yield Change(
            "version",
            each.created_at.isoformat(),
            after=str(each.number),
            name=each.model,
            target=each.public_id,
        )


def _labels(prompt_id: UUID, since: datetime, until: datetime) -> Iterator[Change]:
    rows = LabelMove.objects.filter(prompt_id=prompt_id, created_at__gte=since, created_at__lt=until)
    for each in rows.order_by("-id")[:MOST]:
        yield Change(
            "label",
            each.created_at.isoformat(),
            name=each.label,
            action=each.kind,
            before=str(each.from_number or ""),
            after=str(each.to_number or ""),
        )


@dataclass(frozen=True, slots=True)
class _Used:
    """A model's calls of the version, since the incident began and in the 24 hours before."""

    model: str
    connection: str
    now: int
    before: int


def _models_used(
    project_id: UUID, prompt_id: UUID, version_id: UUID, began_at: datetime, until: datetime
) -> list[_Used]:
    segments = {
        segment_id: (model, connection)
        for segment_id, model, connection in Segment.objects.filter(
            project_id=project_id, prompt_id=prompt_id, version_id=version_id, sandbox=False
        ).values_list("id", "model", "connection")
    }
    rows = (
        Rollup.objects.filter(
            grain=Grain.FIVE_MINUTES,
            starts_at__gte=began_at - timedelta(days=1),
            starts_at__lt=until,
            segment_id__in=list(segments),
        )
        .values("segment_id")
        .annotate(
            now=Sum("requests", filter=Q(starts_at__gte=began_at), default=0),
            before=Sum("requests", filter=Q(starts_at__lt=began_at), default=0),
        )
    )
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        key = segments[row["segment_id"]]
        now, before = totals.get(key, (0, 0))
        totals[key] = (now + row["now"], before + row["before"])
    return [_Used(*key, *numbers) for key, numbers in sorted(totals.items())]


def _new_models(used: Iterable[_Used], began_at: datetime) -> Iterator[Change]:
    rows = list(used)
    calls, calls_before = sum(each.now for each in rows), sum(each.before for each in rows)
    usual = max(rows, key=lambda each: each.before, default=None)
    if not calls or not calls_before or usual is None:
        return
    for each in rows:
        if each.now >= NEW_MODEL_SHARE * calls and each.before < NEW_MODEL_SHARE * calls_before / 10:
            yield Change("model", began_at.isoformat(), before=usual.model, after=each.model)


def _events(project_id: UUID, used: Iterable[_Used], since: datetime, until: datetime) -> Iterator[Change]:
    names = {each.connection for each in used if each.now}
    events = audit.events(current_organization_id()).filter(
        Q(action__in=_CONNECTIONS, object_name__in=names)
        | Q(action="default_model.changed", object_id=ids.encode("prj", project_id)),
        outcome="done",
        id__gte=ids.first_of(since),
        occurred_at__lt=until,
    )
    for event in events[:MOST]:
        kind, action = event.action.split(".")
        before, after = (
            (event.changes.get("model") or [None, None])[:2] if kind == "default_model" else ("", "")
        )
        yield Change(
            kind,
            event.occurred_at.isoformat(),
            name=event.object_name if kind == "connection" else "",
            action=action,
            before=before or "",
            after=after or "",
            target=event.object_id if kind == "connection" else "",
        )


def _prices(project_id: UUID, used: Iterable[_Used], since: datetime, until: datetime) -> Iterator[Change]:
    models = [each.model for each in used if each.now]
    changed = Q(starts_at__gte=since, starts_at__lt=until) | Q(ends_at__gte=since, ends_at__lt=until)
    for price in prices_of(project_id).filter(changed).order_by("-id")[:MOST]:
        if any(matches(price.pattern, model) for model in models):
            starts = price.starts_at >= since
            at = price.starts_at if starts or price.ends_at is None else price.ends_at
            yield Change(
                "price",
                at.isoformat(),
                name=price.pattern,
                action="started" if starts else "ended",
                target=price.public_id,
            )
