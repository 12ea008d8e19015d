"""Answers that are kept for questions which mean the same."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.core.ids import uuid7
from apps.core.scope import organization_scope
from apps.runs.models import CacheEntry
from apps.tenants.models import Project
from tests.factories.registry import tenant_factory


def make_cache_entry(*, project: Project, **values: Any) -> CacheEntry:
    """A row as such; its answer opens for nobody."""
    with organization_scope(project.organization_id):
        return CacheEntry.objects.create(
            **{
                "organization_id": project.organization_id,
                "project_id": project.pk,
                "run_id": uuid7(),
                "scope_hash": b"\x01" * 32,
                "embedding": [0.6, 0.8, -0.5],
                "signature": "110",
                "sealed": b"sealed",
                "expires_at": timezone.now() + timedelta(minutes=5),
                **values,
            }
        )


@tenant_factory("runs.CacheEntry", scoped=False)
def _cache_entry(project: Project) -> CacheEntry:
    return make_cache_entry(project=project)
