"""Runs of a person: their content goes and their identity is emptied; figures and money stay as they are."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.batches.models import BatchItem
from apps.batches.openai_models import OpenAIAnswer
from apps.core import crypto, ids
from apps.core.models import IdempotencyKey
from apps.datasets.models import DatasetChange, DatasetDraft, DatasetRow, DatasetVersion
from apps.retention.erasure.work import Work, walk_children
from apps.runs.feedback import text_of
from apps.runs.models import Feedback, Run, RunPayload
from apps.runs.record_rows import PAYLOAD_TABLE
from apps.tenants.models import Project

# All of them may be the person's, and are changed in one short transaction.
LOOKED_AT_ONCE: Final = 5_000
LONGEST_CALL: Final = timedelta(hours=1)
OPENED_AT_ONCE: Final = 1_000
TOLD: Final = "told:"
BLANK: Final[dict[str, Any]] = {"variables": {}, "expected": None, "metadata": {}, "source": None}
"""A row of a dataset that was emptied."""
ERASED_NAME: Final = "Erased end user"


def erase_runs_of_person(work: Work, since: UUID | None = None) -> bool:
    """The next runs of one project: those of the end user, and those that hold a text."""
    runs = Run.all_organizations.filter(organization_id=work.organization_id)
    runs = runs.filter(pk__gte=since) if since else runs
    _, found, through = walk_children(
        work,
        Project.all_organizations.filter(organization_id=work.organization_id),
        lambda project: _looked_at(work, runs.filter(project_id=project)),
        "pk",
        OPENED_AT_ONCE if work.texts else LOOKED_AT_ONCE,
    )
    erase_runs(work, [run.pk for run in _matching(work, found)])
    return through


def erase_late_runs(work: Work) -> bool:
    """Once more what was under way when the work began: a run's id is of the moment when it was asked for."""
    began = work.request.started_at or timezone.now()
    return erase_runs_of_person(work, ids.first_of(began - LONGEST_CALL))


def runs_of_person(work: Work, run_ids: Iterable[UUID]) -> set[UUID]:
    """Which of some runs are the person's."""
    wanted = sorted(set(run_ids))
    runs = Run.all_organizations.filter(organization_id=work.organization_id, pk__in=wanted)
    return {run.pk for run in _matching(work, list(_looked_at(work, runs)))} if wanted else set()


def erase_runs(work: Work, run_ids: Sequence[UUID]) -> None:
    """Take content and identity off runs, and what others said about them."""
    if not run_ids:
        return
    ours = {"organization_id": work.organization_id}
    runs = Run.all_organizations.filter(**ours, pk__in=run_ids)
    empty: dict[str, Any] = {
        **dict.fromkeys(("end_user", "unit", "error_message", "provider_request_id"), ""),
        "metadata": {},
    }
    blanked = runs.exclude(**empty).update(**empty)
    contents, _ = RunPayload.all_organizations.filter(**ours, pk__in=run_ids).delete()
    keys, _ = IdempotencyKey.all_organizations.filter(
        **ours, reference__in=[str(run_id) for run_id in run_ids]
    ).delete()
    work.count("runs", blanked)
    work.count("run_contents", contents)
    work.count("stored_answers", keys)
    _blank_new_rows(work, run_ids)
    _blank_items(work, runs.filter(source="batch").values_list("source_id", flat=True).distinct(), run_ids)
    _blank_feedback(work, list(Feedback.all_organizations.filter(**ours, run_id__in=run_ids)))


def erase_feedback_of_person(work: Work) -> bool:
    """The next feedback: who it is from becomes a pseudonym, and words that hold a text are emptied."""
    _, found, through = walk_children(
        work,
        Project.all_organizations.filter(organization_id=work.organization_id),
        lambda project: Feedback.all_organizations.filter(
            organization_id=work.organization_id, project_id=project
        ),
        "pk",
    )
    told = f"{TOLD}{work.subject.end_user}" if work.subject.end_user else None
    theirs = [each for each in found if each.giver == told]
    for each in theirs:
        each.giver, each.giver_name = f"{TOLD}{work.request.public_id}", ERASED_NAME
    if theirs:
        Feedback.all_organizations.bulk_update(theirs, ["giver", "giver_name"])
        work.count("feedback", len(theirs))
    saying = [each for each in found if each not in theirs and work.texts and _says(work, each)]
    _blank_feedback(work, theirs + saying)
    return through


def _looked_at(work: Work, runs: "QuerySet[Run]") -> "QuerySet[Run, Any]":
    """What is looked at of runs, as plain rows: there may be millions, and models take long to make."""
    fields = ("pk", "end_user", *(("metadata", "error_message") if work.texts else ()))
    return runs.values_list(*fields, named=True)


def _matching(work: Work, runs: Sequence[Any]) -> list[Any]:
    wanted = work.subject.end_user
    found = [run for run in runs if wanted and run.end_user == wanted]
    if not work.texts:
        return found
    rest = [run for run in runs if not wanted or run.end_user != wanted]
    holding = {
        run.pk for run in rest if work.texts.stand_in(run.end_user, run.metadata, run.error_message)
    } | _contents_with_texts(work, [run.pk for run in rest])
    return found + [run for run in rest if run.pk in holding]


def _contents_with_texts(work: Work, run_ids: Sequence[UUID]) -> set[UUID]:
    if not run_ids:
        return set()
    payloads = RunPayload.all_organizations.filter(organization_id=work.organization_id, pk__in=run_ids).only(
        "id", "content"
    )
    key = crypto.existing_data_key(work.organization_id)
    found = set()
    for payload in payloads:
        place = crypto.associated_data(
            organization_id=work.organization_id, table=PAYLOAD_TABLE, column="content", row_id=payload.pk
        )
        # What doesn't open holds nothing that anybody could read.
        with suppress(crypto.SealBroken):
            if work.texts.stand_in_json(crypto.unseal_bytes(key, payload.content, place)):
                found.add(payload.pk)
    return found


def _blank_new_rows(work: Work, run_ids: Sequence[UUID]) -> None:
    """Rows of datasets that somebody made of the runs after the walk through the datasets came by."""
    began = work.request.started_at
    ours = {"organization_id": work.organization_id}
    versions = DatasetVersion.all_organizations.filter(**ours, created_at__gte=began)
    version_ids = list(versions.values_list("pk", flat=True)) if began else []
    told = {"metadata__run_id__in": [ids.encode(Run.PREFIX, run_id) for run_id in run_ids]}
    rows = DatasetRow.all_organizations.filter(**ours, dataset_version_id__in=version_ids, **told)
    changed = rows.update(**BLANK) if version_ids else 0
    drafts = DatasetDraft.all_organizations.filter(**ours).values("pk")
    changes = DatasetChange.all_organizations.filter(**ours, draft_id__in=drafts, **told)
    work.count("dataset_rows", changed + changes.update(**BLANK))


def _blank_items(work: Work, batch_ids: Iterable[UUID | None], run_ids: Sequence[UUID]) -> None:
    batches = [batch_id for batch_id in batch_ids if batch_id]
    if batches:
        items = BatchItem.all_organizations.filter(
            organization_id=work.organization_id, batch_id__in=batches, run_id__in=run_ids
        )
        blank_items(work, [item.pk for item in items.only("id")])
        answers = OpenAIAnswer.all_organizations.filter(
            organization_id=work.organization_id, batch_id__in=batches, run_id__in=run_ids
        )
        work.count("batch_results", answers.delete()[0])


def blank_items(work: Work, item_ids: Sequence[UUID]) -> None:
    """Empty results of batches; their figures stay."""
    held = ~Q(output="") | ~Q(error_message="") | Q(parsed__isnull=False) | Q(input_digest__isnull=False)
    items = BatchItem.all_organizations.filter(
        organization_id=work.organization_id, pk__in=sorted(item_ids)
    ).filter(held)
    work.count("batch_results", items.update(output="", parsed=None, error_message="", input_digest=None))


def _says(work: Work, feedback: Feedback) -> bool:
    if work.texts.stand_in(feedback.giver_name, feedback.giver):
        return True
    with suppress(crypto.SealBroken):
        text = text_of(feedback)
        return work.texts.stand_in(text.comment, text.correction)
    return False


def _blank_feedback(work: Work, feedback: Sequence[Feedback]) -> None:
    """Empty words; what was nothing but words goes. Scores stay, and with them every mean."""
    worded = [each for each in feedback if each.sealed_text is not None]
    rows = Feedback.all_organizations.filter(organization_id=work.organization_id)
    scored = [each.pk for each in worded if each.score is not None]
    work.count("feedback_words", rows.filter(pk__in=scored).update(sealed_text=None))
    gone, _ = rows.filter(pk__in=[each.pk for each in worded if each.score is None]).delete()
    work.count("feedback_words", gone)
