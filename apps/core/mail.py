"""Mail goes into a table with the change that causes it, and leaves from there.

`OutboxBackend` is Django's EMAIL_BACKEND. With EMAIL_URL, as `smtp+tls://user:password@host:587`, cron
delivers; without it, mail waits on a page of the admin.
"""

import email
import email.policy
import smtplib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.utils import timezone

from apps.core import crypto, ids
from apps.core.logs import get_logger
from apps.core.models import OutgoingMail
from apps.core.outbox import wait_before_attempt
from apps.core.scope import open_organization_id, system_scope

AT_ONCE: Final = 50
LEASE: Final = timedelta(minutes=5)
MOST_ATTEMPTS: Final = 10
SMTP_SECONDS: Final = 20
KEPT: Final = timedelta(days=30)
TABLE: Final = "core_outgoingmail"
PORTS: Final = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}

logger = get_logger(__name__)


class OutboxBackend(BaseEmailBackend):
    """Writes mail into the table, in the caller's transaction, whatever scope is open."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        messages = [message for message in email_messages if message.recipients()]
        for message in messages:
            _write(message)
        return len(messages)


def deliver(limit: int = AT_ONCE) -> int:
    """Send up to `limit` due mails; returns how many were sent. Nothing happens without EMAIL_URL."""
    if not settings.EMAIL_URL:
        return 0
    rows = _claim(limit)
    return sum(_send(row) for row in rows)


def retry_mail(*, mail_ids: Sequence[UUID]) -> int:
    """Make mails due now, sent or not; returns how many."""
    with system_scope():
        return OutgoingMail.objects.filter(id__in=mail_ids).update(
            attempts=0, failed_at=None, sent_at=None, due_at=timezone.now()
        )


def purge() -> int:
    """Delete mail older than 30 days; returns how many."""
    with system_scope():
        deleted, _ = OutgoingMail.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    return deleted


def message_bytes(row: OutgoingMail) -> bytes:
    """The whole message (RFC 5322)."""
    return crypto.unseal(bytes(row.sealed_message), **_place(row.id))


def message_text(row: OutgoingMail) -> str:
    """The plain-text part of a mail."""
    parsed = email.message_from_bytes(message_bytes(row), policy=email.policy.default)
    body = parsed.get_body(("plain", "html"))
    return str(body.get_content()) if body is not None else ""


def _place(row_id: UUID) -> dict[str, Any]:
    return {"organization_id": None, "table": TABLE, "column": "sealed_message", "row_id": row_id}


def _write(message: EmailMessage) -> None:
    row_id = ids.uuid7()
    OutgoingMail(
        id=row_id,
        organization_id=open_organization_id(),
        recipients=message.recipients(),
        subject=str(message.subject)[:500],
        sealed_message=crypto.seal(_with_line_ends(message.message().as_bytes()), **_place(row_id)),
    ).save(force_insert=True)


def _with_line_ends(message: bytes) -> bytes:
    """SMTP's line ends: smtplib mends them in text only."""
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _claim(limit: int) -> list[OutgoingMail]:
    now = timezone.now()
    with system_scope():
        rows = list(
            OutgoingMail.objects.select_for_update(skip_locked=True)
            .filter(due_at__lte=now, sent_at__isnull=True, failed_at__isnull=True)
            .order_by("due_at")[:limit]
        )
        for row in rows:
            row.attempts += 1
            row.due_at = now + LEASE
        OutgoingMail.objects.bulk_update(rows, ["attempts", "due_at"])
    return rows


def _send(row: OutgoingMail) -> bool:
    try:
        connection = _smtp()
        try:
            connection.sendmail(_sender(), row.recipients, message_bytes(row))
        finally:
            # Not `quit`: an error there would send an accepted mail again.
            connection.close()
    except (OSError, smtplib.SMTPException, crypto.SealBroken) as error:
        logger.warning("mail.delivery_failed", extra={"mail_id": str(row.id), "error": type(error).__name__})
        _finish(row, error)
        return False
    _finish(row, None)
    return True


def _finish(row: OutgoingMail, error: Exception | None) -> None:
    now = timezone.now()
    outcome: dict[str, Any] = {"sent_at": now, "last_error": ""}
    if error is not None:
        outcome = {
            "last_error": f"{type(error).__name__}: {error}"[:500],
            "due_at": now + wait_before_attempt(row.attempts),
            "failed_at": now if row.attempts >= MOST_ATTEMPTS else None,
        }
    with system_scope():
        OutgoingMail.objects.filter(id=row.id).update(**outcome)


def _sender() -> str:
    """The envelope's address."""
    return settings.DEFAULT_FROM_EMAIL.rpartition("<")[2].rstrip(">")


def _smtp() -> smtplib.SMTP:
    parts = urlsplit(settings.EMAIL_URL)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL must read smtp+tls://user:password@host:587.")
    kind = smtplib.SMTP_SSL if parts.scheme == "smtp+ssl" else smtplib.SMTP
    connection = kind(parts.hostname, parts.port or PORTS[parts.scheme], timeout=SMTP_SECONDS)
    if parts.scheme == "smtp+tls":
        connection.starttls()
    if parts.username:
        connection.login(unquote(parts.username), unquote(parts.password or ""))
    return connection
