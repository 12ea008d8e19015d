"""The certificate of an erasure: what was done, counted, when and by whom, and what stays until when."""

from datetime import UTC, datetime
from typing import Any, Final

from apps.core import ids
from apps.retention.erasure_models import ErasureKind, ErasureRequest
from apps.retention.inventory_table import what_goes, what_stays
from apps.tenants.models import User

# Counts by class, as pages and certificates name them. An organization's tables go by their own names.
CLASSES: Final = {
    "runs": "Runs whose identity was emptied",
    "run_contents": "Contents of runs deleted",
    "feedback": "Feedback under a pseudonym",
    "feedback_words": "Words of feedback emptied",
    "batches": "Metadata of batches emptied",
    "batch_results": "Results of batches emptied",
    "dataset_rows": "Rows of datasets emptied",
    "files": "Files deleted",
    "uploads": "Uploads deleted",
    "background_runs": "Background runs that waited cancelled or emptied",
    "webhook_deliveries": "Deliveries of webhooks deleted",
    "stored_answers": "Stored answers deleted",
    "messages": "Messages deleted",
    "mails": "Mails deleted",
    "audit_details": "Audit details deleted",
    "audit_events": "Audit events deleted",
    "memberships": "Memberships ended",
    "names": "Names replaced by a pseudonym",
    "drafts": "Drafts deleted",
    "keys": "API keys whose networks were emptied",
    "invitations": "Addresses of invitations emptied",
    "organizations": "Organizations deleted",
}
KINDS: Final = {
    ErasureKind.END_USER: "an end user",
    ErasureKind.MEMBER: "a member",
    ErasureKind.ORGANIZATION: "the whole organization",
}


def counted(request: ErasureRequest) -> list[tuple[str, int]]:
    """What was done so far: class in words, and how many; nothing that was none."""
    known = [(words, request.counts[name]) for name, words in CLASSES.items() if name in request.counts]
    tables = sorted((name, count) for name, count in request.counts.items() if name not in CLASSES)
    return known + [(f"{name.capitalize()} deleted", count) for name, count in tables]


def certificate(request: ErasureRequest) -> dict[str, Any]:
    """The certificate as JSON; nothing in it tells whom it is about but a keyed digest."""
    by = request.requested_by_id
    return {
        "id": request.public_id,
        "object": "erasure_certificate",
        "organization": ids.encode("org", request.organization_id),
        "kind": request.kind,
        "subject_digest": request.subject_digest,
        "reason": request.reason,
        "requested_by": ids.encode(User.PREFIX, by) if by else None,
        "requested_at": _time(request.created_at),
        "started_at": _time(request.started_at),
        "ended_at": _time(request.ended_at),
        "counts": [{"what": words, "count": count} for words, count in counted(request)],
        "erased": [
            {"what": line.words, "how": line.rule.treatment.value, "if_text_found": line.rule.searched}
            for line in what_goes(request.kind)
        ],
        "stays": [
            {"what": line.words, "why": line.rule.reason, "until": line.rule.until}
            for line in what_stays(request.kind)
        ],
    }


def as_text(certificate: dict[str, Any]) -> str:
    """The certificate as plain text."""
    by = certificate["requested_by"] or "somebody who has been erased since"
    counts = [f"  {each['count']:>12,}  {each['what']}" for each in certificate["counts"]]
    lines = [
        "Certificate of erasure",
        "",
        f"Erasure       {certificate['id']} of {KINDS[certificate['kind']]}",
        f"Organization  {certificate['organization']}",
        f"Subject       {certificate['subject_digest']} (keyed digest)",
        f"Asked for     {certificate['requested_at']} by {by}",
        *([f"Reason        {certificate['reason']}"] if certificate["reason"] else []),
        f"Carried out   {certificate['started_at']} to {certificate['ended_at']}",
        "",
        "What was done",
        *(counts or ["  Nothing was found."]),
        "",
        "What stays, and until when",
        *(f"  {each['what']}: {each['why']} It stays {each['until']}." for each in certificate["stays"]),
    ]
    return "\n".join(lines) + "\n"


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None
