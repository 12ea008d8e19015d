"""Reads of incidents. Everything is called inside the organization's scope."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.analytics.incidents.models import DegradationRule, DegradationSetting, Incident
from apps.core.errors import NotFound
from apps.core.models import find
from apps.prompts.models import Prompt
from apps.tenants.models import Project

OPEN, CLOSED = "open", "closed"
NEAR: Final = timedelta(hours=1)


def list_incidents(
    project: Project,
    *,
    search: str = "",
    state: str = "",
    metric: str = "",
    prompt_id: UUID | None = None,
) -> QuerySet[Incident]:
    """A project's incidents that match; `state` is open or closed, `search` is in the prompt's name."""
    found = Incident.objects.filter(project=project)
    if state:
        found = found.filter(closed_at__isnull=state == OPEN)
    if metric:
        found = found.filter(metric=metric)
    if prompt_id:
        found = found.filter(prompt_id=prompt_id)
    if search:
        named = Prompt.objects.filter(project=project, name__icontains=search)
        found = found.filter(prompt_id__in=named.values("pk"))
    return found


def get_incident(project: Project, public_id: str) -> Incident:
    """One incident of a project. Raises NotFound."""
    found = find(Incident.objects.filter(project=project).select_related("acknowledged_by"), public_id)
    if found is None:
        raise NotFound("There is no such incident in this project.")
    return found


def open_incidents(project_id: UUID, *, prompt_id: UUID | None = None) -> QuerySet[Incident]:
    """What is open now, oldest first; of one prompt if it is named."""
    found = Incident.objects.filter(project_id=project_id, closed_at__isnull=True)
    return (found.filter(prompt_id=prompt_id) if prompt_id else found).order_by("opened_at", "id")


def between(
    project_id: UUID, start: datetime, end: datetime, *, prompt_id: UUID | None = None
) -> list[Incident]:
    """The incidents that were open at some moment from `start` to `end`, oldest first."""
    lasted = Q(closed_at__isnull=True) | Q(closed_at__gt=start)
    found = Incident.objects.filter(lasted, project_id=project_id, opened_at__lte=end)
    return list((found.filter(prompt_id=prompt_id) if prompt_id else found).order_by("opened_at", "id"))


def beside(incident: Incident) -> QuerySet[Incident]:
    """The project's other incidents that began within an hour of it: a provider's trouble hits several."""
    return (
        Incident.objects.filter(
            project_id=incident.project_id,
            began_at__gte=incident.began_at - NEAR,
            began_at__lte=incident.began_at + NEAR,
        )
        .exclude(pk=incident.pk)
        .order_by("opened_at", "id")
    )


def rule_of(project: Project) -> DegradationRule:
    """By which rule a project finds incidents."""
    chosen = DegradationSetting.objects.filter(project=project).values_list("rule", flat=True).first()
    return DegradationRule(chosen) if chosen else DegradationRule.STATISTICAL


def prompt_names(incidents: Iterable[Incident]) -> dict[UUID, str]:
    """What the prompts of some incidents are called now; those that are gone are left out."""
    wanted = {each.prompt_id for each in incidents}
    return dict(Prompt.objects.filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}
