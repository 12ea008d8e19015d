"""The steps of each kind of erasure, in their order."""

from collections.abc import Sequence
from typing import Final

from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import SYSTEM
from apps.retention.erasure import (
    datasets,
    members,
    openai_batches,
    organizations,
    runs,
    telling,
    traces,
    waiting,
)
from apps.retention.erasure.work import Place, Step, Work, settled
from apps.retention.models import ErasureKind, ErasureRequest, ErasureState


def finish(work: Work) -> bool:
    """The end: whom it was about is forgotten, the counts are the certificate."""
    request = work.request
    request.state, request.ended_at, request.sealed_subject = ErasureState.DONE, timezone.now(), None
    request.counts = work.counts
    request.save(update_fields=["ended_at", "sealed_subject"])
    if request.kind == ErasureKind.ORGANIZATION:
        request.reason = ""
        request.save(update_fields=["reason"])
        telling.tell_requester(request)
        return False
    audit.record(
        actor=SYSTEM,
        action="erasure.completed",
        target=request,
        organization_id=request.organization_id,
        changes={"state": (ErasureState.RUNNING, ErasureState.DONE), "counts": (None, dict(work.counts))},
    )
    return False


WAITING: Final = "calls_under_way"

# Rows before the runs that they came from: whose a run was is known until it is emptied.
_CONTENT: Final = (
    Step("dataset_rows", datasets.blank_dataset_rows),
    Step("dataset_changes", datasets.blank_dataset_changes),
    Step("uploads", traces.delete_uploads),
    Step("batches", datasets.blank_batches),
    Step("row_sources", traces.delete_preparations),
    Step("batch_results", datasets.blank_batch_results),
    Step("openai_batches", openai_batches.blank_openai_batches),
    Step("openai_answers", openai_batches.delete_openai_answers),
    Step("feedback", runs.erase_feedback_of_person),
    # Before the runs: what is taken from a worker is not recorded afterwards.
    Step("background_runs", waiting.erase_background_runs),
    Step("runs", runs.erase_runs_of_person),
    # After the rows: an export that is being written meanwhile must not have read them still.
    Step("files", traces.delete_found_files, Place.ORGANIZATION),
    Step("openai_files", openai_batches.delete_openai_files),
)
_TRACES: Final = (
    Step("stored_answers", traces.delete_stored_answers),
    Step("messages", traces.delete_messages),
    # After the messages, which become deliveries.
    Step("webhook_deliveries", waiting.delete_deliveries),
    Step("mails", traces.delete_mails),
    Step("invitations", members.empty_found_invitations),
    Step("similar_answers", traces.delete_similar_answers),
    Step("cached_answers", traces.forget_cached_answers, Place.OUTSIDE),
)
_LATE_ANSWERS: Final = Step("late_cached_answers", traces.forget_cached_answers, Place.OUTSIDE)
_LATE: Final = (
    Step(WAITING, settled),
    Step("late_runs", runs.erase_late_runs),
    Step("late_files", traces.delete_found_files, Place.ORGANIZATION),
    Step("late_openai_files", openai_batches.delete_openai_files),
    # A call that was under way has kept its answer at its end.
    Step("late_similar_answers", traces.delete_similar_answers),
    _LATE_ANSWERS,
)
_DETAILS: Final = Step("audit_details", traces.delete_audit_details)
_END: Final = Step("finish", finish)

END_USER: Final = (*_CONTENT, *_TRACES, _DETAILS, *_LATE, _END)
MEMBER: Final = (
    Step("membership", members.end_membership, Place.ORGANIZATION),
    Step("names", members.replace_names),
    *_CONTENT,
    *_TRACES,
    _DETAILS,
    Step("account", members.erase_account),
    *_LATE,
    _END,
)
ORGANIZATION: Final = (
    Step("shut", organizations.shut),
    Step("data_key", organizations.shred_key),
    Step("tables", organizations.delete_tables),
    Step("mails", organizations.delete_mails_of_organization),
    Step("cached_answers", traces.forget_cached_answers, Place.OUTSIDE),
    Step(WAITING, settled),
    Step("late_tables", organizations.delete_tables),
    Step("late_mails", organizations.delete_mails_of_organization),
    _LATE_ANSWERS,
    Step("trail_sealed", organizations.seal_trail),
    Step("trail", organizations.delete_trail),
    Step("organization", organizations.end_organization),
    _END,
)
_STEPS: Final = {
    ErasureKind.END_USER: END_USER,
    ErasureKind.MEMBER: MEMBER,
    ErasureKind.ORGANIZATION: ORGANIZATION,
}

# What each step does, for whoever watches it.
WORDS: Final = {
    "dataset_rows": "Rows of datasets",
    "dataset_changes": "Edited rows of drafts",
    "files": "Files",
    "uploads": "Uploads that wait to be imported",
    "batches": "Metadata of batches",
    "row_sources": "Where batches took their rows",
    "batch_results": "Results of batches",
    "openai_batches": "Metadata of OpenAI batches",
    "openai_answers": "Answers that wait to be written to files",
    "openai_files": "Files of OpenAI batches",
    "feedback": "Feedback",
    "background_runs": "Background runs that wait",
    "runs": "Runs",
    "stored_answers": "Stored answers to repeated requests",
    "messages": "Messages that wait",
    "webhook_deliveries": "Deliveries of webhooks",
    "mails": "Mails",
    "invitations": "Invitations",
    "similar_answers": "Answers kept for questions that mean the same",
    "cached_answers": "Cached answers",
    "audit_details": "Audit details",
    WAITING: "Waiting for calls that were under way at the beginning",
    "late_runs": "Runs recorded meanwhile",
    "late_files": "Files written meanwhile",
    "late_openai_files": "Files of OpenAI batches written meanwhile",
    "late_similar_answers": "Answers kept meanwhile",
    "late_cached_answers": "Answers cached meanwhile",
    "membership": "Membership, keys and grants",
    "names": "Names on the organization's work",
    "account": "Account, sessions and second factors",
    "shut": "Shutting API keys and memberships",
    "data_key": "Destroying the data key",
    "tables": "Everything the organization owns",
    "late_tables": "What was recorded meanwhile",
    "late_mails": "Mails",
    "trail_sealed": "The end of the audit chain",
    "trail": "Audit log",
    "organization": "The organization itself",
    "finish": "Certificate",
}


def steps_of(request: ErasureRequest) -> Sequence[Step]:
    """The steps of a request."""
    return _STEPS[ErasureKind(request.kind)]


def progress(request: ErasureRequest) -> tuple[int, int, str]:
    """Steps that are through, steps in all, and the present one in words."""
    names = [step.name for step in steps_of(request)]
    if request.state == ErasureState.DONE:
        return len(names), len(names), ""
    if request.step not in names:
        return 0, len(names), ""
    return names.index(request.step), len(names), WORDS[request.step]
