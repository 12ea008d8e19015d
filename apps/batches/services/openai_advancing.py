"""A worker's turn on an OpenAI batch: check its file, or write its answers, whichever is due."""

from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.batches.openai.lines import Problem
from apps.batches.openai_models import OpenAIBatch, OpenAIBatchStatus
from apps.batches.services.openai_validating import validate_batch
from apps.batches.services.openai_writing import write_answers
from apps.core.logs import get_logger
from apps.core.scope import organization_scope, system_scope

MOST_FAILURES: Final = 5

_TURNS: Final[Mapping[str, Callable[[UUID, UUID], bool]]] = {
    OpenAIBatchStatus.VALIDATING: validate_batch,
    OpenAIBatchStatus.IN_PROGRESS: write_answers,
}

logger = get_logger(__name__)


def advance(batch_id: UUID) -> bool:
    """Go on with a batch; False where nothing is due, or another worker is at it.

    What breaks off is tried again a minute later, and given up after a few times.
    """
    with system_scope():
        found = OpenAIBatch.all_organizations.filter(pk=batch_id).values_list("organization_id", "status")
        row = found.first()
    if row is None:
        return False
    organization_id, status = row
    work = _TURNS.get(status)
    if work is None:
        return False
    try:
        return work(organization_id, batch_id)
    except Exception:
        logger.exception("openai_batch.turn_failed", extra={"batch": str(batch_id)})
        _count_failure(organization_id, batch_id)
        return False


def _count_failure(organization_id: UUID, batch_id: UUID) -> None:
    """Give a batch up that breaks every turn: nobody must wait for it for ever."""
    with organization_scope(organization_id):
        batch = OpenAIBatch.objects.select_for_update(no_key=True).get(pk=batch_id)
        batch.failures += 1
        if batch.failures >= MOST_FAILURES and not batch.has_ended:
            batch.status, batch.ended_at = OpenAIBatchStatus.FAILED, timezone.now()
            problem = Problem("internal_error", "Something went wrong on our side. Send the batch again.")
            batch.errors = [problem.as_json()]
        batch.save(update_fields=["failures", "status", "ended_at", "errors"])
