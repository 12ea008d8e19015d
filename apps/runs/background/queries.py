"""Reads of background runs, inside the organization's scope."""

from uuid import UUID

from django.db.models import QuerySet

from apps.core.errors import NotFound
from apps.core.models import find
from apps.runs.models import BackgroundRun, Run


def waiting_runs(project_id: UUID, status: str = "") -> "QuerySet[BackgroundRun]":
    """Background runs that no Run tells of: those that wait, are under way, or ended before any call.

    Unordered; `status` narrows them.
    """
    found = BackgroundRun.objects.filter(project_id=project_id, recorded=False)
    return found.filter(status=status) if status else found


def find_background(project_id: UUID, public_id: str) -> BackgroundRun | None:
    """A background run of a project, ended or not."""
    return find(BackgroundRun.objects.filter(project_id=project_id), public_id)


def find_run_or_background(project_id: UUID, public_id: str) -> Run | BackgroundRun:
    """A run as it stands: its record once it has one. Raises NotFound."""
    waiting = find(waiting_runs(project_id), public_id)
    # In this order: a run that is recorded between the two statements is found by the second.
    recorded = find(Run.objects.filter(project_id=project_id), public_id)
    found = recorded or waiting
    if found is None:
        raise NotFound("There is no such run in this project.", code="run_not_found")
    return found
