"""What else remembers a person: files, stored answers, waiting messages and mails, audit details, caches."""

from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from django.utils import timezone

from apps.audit.models import AuditDetail
from apps.audit.records import SALT_BYTES
from apps.batches.preparation_models import RowPreparation
from apps.core import crypto, files, idempotency, mail
from apps.core.logs import get_logger
from apps.core.models import IdempotencyKey, OutboxMessage, OutgoingMail, StoredFile
from apps.core.redis import DEAD_REDIS
from apps.datasets.models import DatasetImport
from apps.retention.erasure.datasets import delete_files
from apps.retention.erasure.matching import Texts, is_archive, words_of
from apps.retention.erasure.work import Work, walk
from apps.runs.answer_cache import forget_answers
from apps.runs.cache_plan import LONGEST_SECONDS
from apps.runs.models import CacheEntry

DETAIL_TABLE: Final = "audit_auditdetail"
FILES_AT_ONCE: Final = 20
SEALED_AT_ONCE: Final = 500
ANSWERS_AT_ONCE: Final = 2_000

logger = get_logger(__name__)


def delete_found_files(work: Work) -> bool:
    """The next files: exports and other archives go, the rest where a text is found in them."""
    found, through = walk(
        work, StoredFile.all_organizations.filter(organization_id=work.organization_id), FILES_AT_ONCE
    )
    delete_files(work, [file.pk for file in found if _holds(work, file)])
    return through


def delete_uploads(work: Work) -> bool:
    """The next uploads that wait, by what was recognised in them; their files have been searched."""
    found, through = walk(work, DatasetImport.all_organizations.filter(organization_id=work.organization_id))
    holding = [each.file_id for each in found if work.texts.stand_in(*_told_by(each))]
    delete_files(work, holding)
    return through


def _told_by(upload: DatasetImport) -> tuple[Any, ...]:
    recognised = (upload.file_name, upload.facts, upload.mapping, upload.variables)
    return (*recognised, upload.dataset_name, upload.error_code, upload.error_message)


def delete_preparations(work: Work) -> bool:
    """The next notes of where a batch took its rows: those that name the person, or hold a text.

    A batch that still waited for such rows ends at its deadline; rows that are there stay, searched for
    themselves.
    """
    rows = RowPreparation.all_organizations.filter(organization_id=work.organization_id)
    found, through = walk(work, rows)
    wanted = work.subject.end_user
    gone = [
        each.pk
        for each in found
        if work.texts.stand_in(each.source, each.options, each.problem, each.place)
        or (wanted and each.source.get("filters", {}).get("end_user") == wanted)
    ]
    work.count("batches", RowPreparation.all_organizations.filter(pk__in=gone).delete()[0] if gone else 0)
    return through


def delete_stored_answers(work: Work) -> bool:
    """The next stored answers to repeated requests: those that hold a text, and a member's own."""
    found, through = walk(
        work,
        IdempotencyKey.all_organizations.filter(organization_id=work.organization_id),
        SEALED_AT_ONCE,
    )
    gone = [row.pk for row in found if _is_own(work, row) or _answers_with(work, row)]
    deleted, _ = IdempotencyKey.all_organizations.filter(pk__in=gone).delete()
    work.count("stored_answers", deleted)
    return through


def delete_messages(work: Work) -> bool:
    """Messages that wait to be handed on and that tell of the person."""
    looked_for = Texts((*work.texts.given, *work.subject.emails, *work.subject.names))
    waiting = OutboxMessage.objects.filter(organization_id=work.organization_id).order_by("pk")
    gone = [each.pk for each in waiting if looked_for.stand_in(each.payload, each.last_error)]
    deleted, _ = OutboxMessage.objects.filter(pk__in=gone).delete()
    work.count("messages", deleted)
    return True


def delete_mails(work: Work) -> bool:
    """The next of the organization's mails: to the person, or with a text."""
    looked_for = Texts((*work.texts.given, *work.subject.emails, *work.subject.names))
    found, through = walk(
        work, OutgoingMail.objects.filter(organization_id=work.organization_id), SEALED_AT_ONCE
    )
    gone = [each.pk for each in found if looked_for.stand_in(*_words_of_mail(each))]
    deleted, _ = OutgoingMail.objects.filter(pk__in=gone).delete()
    work.count("mails", deleted)
    return through


def delete_audit_details(work: Work) -> bool:
    """The next audit details: those about the person, and those that hold a text. The chain verifies on."""
    found, through = walk(
        work, AuditDetail.all_organizations.filter(organization_id=work.organization_id), SEALED_AT_ONCE
    )
    gone = [each.pk for each in found if _is_about(work, each)]
    deleted, _ = AuditDetail.all_organizations.filter(pk__in=gone).delete()
    work.count("audit_details", deleted)
    return through


def forget_cached_answers(work: Work) -> bool:
    """The organization's cached answers: which is whose isn't known, so all of them go.

    Without Redis it waits, at most until every answer has expired by itself.
    """
    try:
        forget_answers(work.organization_id)
    except DEAD_REDIS as error:
        logger.warning("erasure.redis_is_away", extra={"error": type(error).__name__})
        started = work.request.started_at or timezone.now()
        return timezone.now() >= started + timedelta(seconds=LONGEST_SECONDS)
    return True


def delete_similar_answers(work: Work) -> bool:
    """The organization's answers that are kept for questions which mean the same: all of them, likewise."""
    rows = CacheEntry.all_organizations.filter(organization_id=work.organization_id)
    some = list(rows.order_by("pk").values_list("pk", flat=True)[:ANSWERS_AT_ONCE])
    deleted, _ = rows.filter(pk__in=some).delete()
    work.count("similar_answers", deleted)
    return len(some) < ANSWERS_AT_ONCE


def _holds(work: Work, file: StoredFile) -> bool:
    if work.texts.stand_in(file.name):
        return True
    try:
        chunks = files.read(file)
        first = next(chunks, b"")
        if is_archive(first):
            return True
        return bool(work.texts) and (
            work.texts.stand_in_bytes((first,)) or work.texts.stand_in_bytes(files.read(file))
        )
    except (files.FileBroken, crypto.SealBroken):
        # Nobody can read it, so nobody can tell that it holds nothing.
        return True


def _is_own(work: Work, row: IdempotencyKey) -> bool:
    return bool(work.subject.user_id) and row.owner.endswith(UUID(work.subject.user_id).hex)


def _answers_with(work: Work, row: IdempotencyKey) -> bool:
    looked_for, end_user = Texts((*work.texts.given, *work.subject.emails)), work.subject.end_user
    if not looked_for and not end_user:
        return False
    if looked_for.stand_in(row.key):
        return True
    if row.sealed_body is None:
        return False
    with suppress(crypto.SealBroken):
        body = crypto.unseal(
            bytes(row.sealed_body),
            organization_id=row.organization_id,
            table=idempotency.TABLE,
            column="sealed_body",
            row_id=row.pk,
        )
        with suppress(orjson.JSONDecodeError):
            answer = orjson.loads(body)
            return looked_for.stand_in(answer) or bool(end_user and end_user in words_of(answer))
        return looked_for.stand_in_bytes([body])
    return False


def _words_of_mail(row: OutgoingMail) -> tuple[object, ...]:
    with suppress(crypto.SealBroken):
        return (row.recipients, row.subject, mail.message_text(row))
    return (row.recipients, row.subject)


def _is_about(work: Work, row: AuditDetail) -> bool:
    subject = work.subject
    if subject.user_id and subject.user_id in row.subject_ids:
        return True
    looked_for = Texts((*work.texts.given, *subject.emails))
    if not looked_for and not subject.names:
        return False
    try:
        plain = crypto.unseal(
            bytes(row.sealed),
            organization_id=row.organization_id,
            table=DETAIL_TABLE,
            column="sealed",
            row_id=row.pk,
        )
    except crypto.SealBroken:
        return False
    content = orjson.loads(plain[SALT_BYTES:])
    return looked_for.stand_in(content) or any(word in subject.names for word in words_of(content))
