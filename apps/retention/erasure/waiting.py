"""What waits to be carried out or to be sent, and tells of a person: background runs and webhooks."""

from contextlib import suppress
from typing import Final

import orjson
from django.utils import timezone

from apps.core import crypto
from apps.core.models import IdempotencyKey
from apps.notifications.bodies import body_of
from apps.notifications.models import WebhookDelivery
from apps.retention.erasure.matching import Texts, words_of
from apps.retention.erasure.work import Work, walk
from apps.runs.background import requests
from apps.runs.models import BackgroundRun, BackgroundStatus

SEALED_AT_ONCE: Final = 500


def erase_background_runs(work: Work) -> bool:
    """The next background runs: those of the person that have not ended are cancelled, whoever holds them.

    A call that is under way is not recorded: its fence is lost.
    """
    ours = {"organization_id": work.organization_id}
    found, through = walk(work, BackgroundRun.all_organizations.filter(**ours), SEALED_AT_ONCE)
    theirs = [run for run in found if _is_theirs(work, run)]
    for run in theirs:
        if not run.is_over:
            run.status, run.finished_at = BackgroundStatus.CANCELLED, timezone.now()
            run.fence += 1
        run.sealed_request, run.error_message = None, ""
    fields = ["status", "finished_at", "fence", "sealed_request", "error_message"]
    BackgroundRun.all_organizations.bulk_update(theirs, fields)
    keys = IdempotencyKey.all_organizations.filter(**ours, reference__in=[str(run.pk) for run in theirs])
    work.count("background_runs", len(theirs))
    work.count("stored_answers", keys.delete()[0])
    return through


def delete_deliveries(work: Work) -> bool:
    """The next deliveries of webhooks that tell of the person, sent or not; their attempts go with them."""
    found, through = walk(
        work,
        WebhookDelivery.all_organizations.filter(organization_id=work.organization_id),
        SEALED_AT_ONCE,
    )
    gone = [each.pk for each in found if _tells(work, each)]
    WebhookDelivery.all_organizations.filter(pk__in=gone).delete()
    work.count("webhook_deliveries", len(gone))
    return through


def _is_theirs(work: Work, run: BackgroundRun) -> bool:
    if work.texts.stand_in(run.error_message):
        return True
    if run.sealed_request is None:
        return False
    with suppress(crypto.SealBroken):
        packed = requests.unseal(run.organization_id, run.pk, bytes(run.sealed_request))
        if work.texts.stand_in_json(packed):
            return True
        wanted = work.subject.end_user
        return bool(wanted) and orjson.loads(packed).get("user") == wanted
    return False


def _tells(work: Work, delivery: WebhookDelivery) -> bool:
    looked_for, end_user = Texts((*work.texts.given, *work.subject.emails)), work.subject.end_user
    if not looked_for and not end_user:
        return False
    with suppress(crypto.SealBroken):
        body = orjson.loads(body_of(delivery))
        return looked_for.stand_in(body) or bool(end_user and end_user in words_of(body))
    return False
