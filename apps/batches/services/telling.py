"""What others are told of a batch: webhooks through the outbox, and a mail to who started it."""

from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from apps.audit.actor import Actor
from apps.batches.models import BatchJob
from apps.batches.results.formats import formats_of
from apps.batches.results.words import plain_digits
from apps.core import outbox
from apps.core.ids import encode
from apps.tenants import people
from apps.tenants.models import Membership
from apps.tenants.roles import Permission

_MAILED: Final = frozenset({"paused", "completed", "failed", "cancelled", "expired"})


def summary(job: BatchJob) -> dict[str, Any]:
    """A batch as others are told of it: numbers and words, nothing that a row holds."""
    return {
        "id": job.public_id,
        "project_id": encode("prj", job.project_id),
        "name": job.name,
        "status": job.status,
        "stop_reason": job.stop_reason,
        "pause_reason": job.pause_reason,
        "counts": {
            "total": job.total,
            "succeeded": job.succeeded,
            "failed": job.failed,
            "cancelled": job.cancelled,
        },
        "usage": {"input_tokens": job.input_tokens, "output_tokens": job.output_tokens},
        "cost": {
            "used_usd": plain_digits(job.cost_used),
            "unknown_rows": job.cost_unknown,
            "sandbox": job.sandbox,
        },
        "agreement": {"compared": job.compared, "matched": job.matched},
        "results": _result_addresses(job),
    }


def tell(event: str, job: BatchJob, actor: Actor) -> None:
    """Write `batch.<event>` into the outbox, and the mail where one was asked for, in the open transaction.

    Nobody gets a mail about a pause of their own.
    """
    outbox.write(f"batch.{event}", summary(job) | {"actor": actor.told()}, job.organization_id)
    own = actor.kind == "user" and actor.id == job.started_by_id
    if job.notify and event in _MAILED and not own:
        _mail(job)


def address_of(job: BatchJob) -> str:
    """The batch's page, as a mail links it."""
    slugs = [job.organization.slug, job.project.slug, job.public_id]
    return settings.PUBLIC_URL + reverse("batches:detail", args=slugs)


def _result_addresses(job: BatchJob) -> dict[str, str]:
    """Where a program with a key that may see batches takes results, partial ones too, and failures."""
    address = f"{settings.PUBLIC_URL}/api/v1/batches/{job.public_id}"
    files: dict[str, str] = {name: f"{address}/results?format={name}" for name in formats_of(job)}
    return {**files, "failures": f"{address}/failures"}


def _mail(job: BatchJob) -> None:
    """To the person who started it, as long as they are a member who may see it."""
    if job.started_by_kind != "user" or job.started_by_id is None:
        return
    theirs = Membership.objects.filter(user_id=job.started_by_id).values_list("pk", flat=True)
    for member in people.members_who_may(job.project, Permission.BATCHES_VIEW, list(theirs)):
        context = {"job": job, "address": address_of(job)}
        body = render_to_string("batches/mail/ended.txt", context)
        subject = " ".join(f"{job.get_status_display()}: {job.name} · {job.project.name}".split())
        EmailMessage(subject=subject, body=body, to=[member.user.email]).send()
