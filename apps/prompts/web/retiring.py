"""Which prompts name a model that its provider takes away: a part of the page of aliases."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final
from uuid import UUID

from django.db.models import F, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.prompts.models import Prompt, PromptVersion, ServingPolicy
from apps.providers.retirements import AS_OF, Retirement
from apps.providers.sunset import Sunset, sunset_of
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView

MOST_READ: Final = 2_000
MOST_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class RetiringUse:
    """A prompt that names a model that goes, and where: its newest version, a label, a fallback.

    `prompt` None is the project's default for serving.
    """

    prompt: Prompt | None
    place: str
    model: str
    retirement: Retirement


class RetiringPromptsView(ProjectView):
    """The prompts whose newest or labelled version, or fallback, is gone or goes within 90 days."""

    permissions: ClassVar = {"GET": Permission.PROMPTS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        today = timezone.now().date()
        found = retiring_uses(self.project.id, today)
        context = {
            "uses": found[:MOST_SHOWN],
            "count": len(found),
            "today": today,
            "as_of": AS_OF,
            "may_replace": self.access.can(Permission.PROVIDERS_MANAGE),
        }
        is_part = bool(request.headers.get("HX-Request"))
        template = "prompts/retiring_part.html" if is_part else "prompts/retiring.html"
        return self.render(template, context)


def retiring_uses(project_id: UUID, today: date) -> list[RetiringUse]:
    """Every use of a model that goes, the nearest first. Needs the organization's scope."""
    sunset = sunset_of(project_id, today)
    found = [*_of_versions(project_id, sunset), *_of_fallbacks(project_id, sunset)]
    return sorted(found, key=lambda each: (each.retirement.day, each.prompt.name if each.prompt else ""))


def _of_versions(project_id: UUID, sunset: Sunset) -> Iterator[RetiringUse]:
    versions = PromptVersion.objects.filter(prompt__project_id=project_id, prompt__archived_at__isnull=True)
    models = versions.order_by().values_list("model", flat=True).distinct()
    going = {model: retirement for model in models if (retirement := sunset.of(model)) is not None}
    named = (
        versions.filter(Q(number=F("prompt__latest_number")) | Q(labels__isnull=False), model__in=going)
        .select_related("prompt")
        .annotate(label=F("labels__name"))
        .order_by("-id")[:MOST_READ]
    )
    for version in named if going else ():
        place = f"label {version.label}" if version.label else "newest"
        yield RetiringUse(
            version.prompt, f"version {version.number}, {place}", version.model, going[version.model]
        )


def _of_fallbacks(project_id: UUID, sunset: Sunset) -> Iterator[RetiringUse]:
    policies = ServingPolicy.objects.filter(project_id=project_id).select_related("prompt")[:MOST_READ]
    for policy in policies:
        for reference in (policy.calls or {}).get("fallbacks", ()):
            retirement = sunset.of(str(reference))
            if retirement is not None:
                yield RetiringUse(policy.prompt, "fallback", str(reference), retirement)
