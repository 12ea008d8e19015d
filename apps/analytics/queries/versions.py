"""Versions of a prompt side by side, and which defaults calls override. Inside the organization's scope."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal
from uuid import UUID

from apps.analytics import efficiency
from apps.analytics.dimensions import Filters
from apps.analytics.efficiency import Efficiency, Measured
from apps.analytics.metrics import Sums
from apps.analytics.periods import Period
from apps.analytics.queries.names import groups_of
from apps.analytics.queries.shapes import Figures, Group
from apps.analytics.queries.statements import Asked, add_up_by_key, overridden
from apps.prompts.models import Label, PromptVersion

MOST_VERSIONS: Final = 100
ANY: Final = "any"
# From here on a default is said not to fit.
DOUBTFUL_SHARE: Final = 0.5
LEAST_REQUESTS: Final = 30


@dataclass(frozen=True, slots=True)
class VersionFigures:
    """One version: what it is, what its calls came to, and its score."""

    version_id: UUID
    number: int
    message: str
    author: str
    created_at: datetime
    labels: tuple[str, ...]
    figures: Figures
    efficiency: Efficiency


@dataclass(frozen=True, slots=True)
class Override:
    """A variable's default, or a parameter, for which calls of a version gave another value.

    ``share`` is of the version's requests. ``doubtful``: most calls do so, so the default doesn't fit them.
    """

    version: Group
    kind: Literal["variable", "parameter"]
    name: str
    count: int
    requests: int
    share: float
    doubtful: bool


def versions(
    project_id: UUID, prompt_id: UUID, period: Period, *, sandbox: bool = False, most: int = MOST_VERSIONS
) -> tuple[VersionFigures, ...]:
    """A prompt's newest versions that were called in the period or bear a label, the newest first.

    Cost and speed in the scores compare these versions only. Another project's prompt has none.
    """
    asked = Asked(project_id, period, Filters(prompts=(prompt_id,)), sandbox)
    found = add_up_by_key(asked, period.parts(), ("version",), need=frozenset(("latency", "errors")))
    sums = {UUID(key[0]): each for (key, _), each in found.items() if key[0]}
    labels = _labels(prompt_id)
    rows = list(
        PromptVersion.objects.filter(
            prompt_id=prompt_id, prompt__project_id=project_id, pk__in=[*sums, *labels]
        )
        .order_by("-number")
        .only("number", "message", "author_name", "author_kind", "created_at", "output_schema")[:most]
    )
    scores = efficiency.scores([_measured(row, sums.get(row.pk, Sums())) for row in rows])
    return tuple(
        VersionFigures(
            row.pk,
            row.number,
            row.message,
            row.author_name,
            row.created_at,
            tuple(labels.get(row.pk, ())),
            Figures(sums.get(row.pk, Sums())),
            score,
        )
        for row, score in zip(rows, scores, strict=True)
    )


def overrides(asked: Asked, *, most: int = 20) -> tuple[Override, ...]:
    """What calls override most often, by the share of a version's requests; the most first."""
    parts = asked.period.parts()
    counted = overridden(asked, parts)
    found = add_up_by_key(asked, parts, ("version",))
    requests = {key[0]: sums.requests for (key, _), sums in found.items() if key[0] and sums.requests}
    ranked = sorted(
        (
            (count / requests[version], version, name, count)
            for version, names in counted.items()
            for name, count in names.items()
            if name != ANY and version in requests and count > 0
        ),
        key=lambda each: (-each[0], -each[3], each[1], each[2]),
    )[:most]
    groups = groups_of("version", dict.fromkeys(version for _, version, _, _ in ranked))
    return tuple(
        _override(groups[version], name, count, requests[version]) for _, version, name, count in ranked
    )


def _override(version: Group, entry: str, count: int, requests: int) -> Override:
    kind, _, name = entry.partition(":")
    share = count / requests
    return Override(
        version=version,
        kind="parameter" if kind == "parameter" else "variable",
        name=name,
        count=count,
        requests=requests,
        share=share,
        doubtful=share >= DOUBTFUL_SHARE and requests >= LEAST_REQUESTS,
    )


def _labels(prompt_id: UUID) -> Mapping[UUID, Sequence[str]]:
    found: dict[UUID, list[str]] = {}
    for name, version_id in Label.objects.filter(prompt_id=prompt_id).values_list("name", "version_id"):
        found.setdefault(version_id, []).append(name)
    return {
        version_id: sorted(names, key=lambda name: (name != "production", name))
        for version_id, names in found.items()
    }


def _measured(version: PromptVersion, sums: Sums) -> Measured:
    figures = Figures(sums)
    satisfaction, cost, latency = (
        figures[key] for key in ("satisfaction", "cost_per_request", "latency_p50")
    )
    return Measured(
        requests=sums.requests - sums.cancelled,
        failed=sums.failed,
        schema_failures=sums.schema_failures,
        has_schema=version.output_schema is not None,
        satisfaction=None if satisfaction is None else float(satisfaction),
        scores=sums.feedback_count,
        cost=None if cost is None else Decimal(cost),
        priced=sums.priced + sums.free,
        latency=None if latency is None else float(latency),
        timed=sum(sums.latency.values()),
    )
