import socketserver
import threading
from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives, get_connection, send_mail
from django.db import DatabaseError, connection
from pytest_django import Settings

from apps.core import ids, mail
from apps.core.models import OutgoingMail
from apps.core.scope import organization_scope, system_scope


@pytest.fixture(autouse=True)
def _own_backend(settings: Settings) -> None:
    # Django's test runner replaces the backend.
    settings.EMAIL_BACKEND = "apps.core.mail.OutboxBackend"
    settings.EMAIL_URL = ""


class SmtpServer:
    """As much of SMTP as a delivery needs."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 ready\r\n")
                for line in iter(self.rfile.readline, b""):
                    if line.upper().startswith(b"DATA"):
                        self.wfile.write(b"354 go on\r\n")
                        outer.messages.append(b"".join(iter(self.rfile.readline, b".\r\n")))
                    self.wfile.write(b"250 ok\r\n")
                    if line.upper().startswith(b"QUIT"):
                        return

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.url = f"smtp://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    found = SmtpServer()
    threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield found
    found.server.shutdown()
    found.server.server_close()


def rows() -> list[OutgoingMail]:
    with system_scope():
        return list(OutgoingMail.objects.order_by("id"))


def write(subject: str = "Confirm your address") -> None:
    send_mail(subject, "Open https://example.com/confirm/TOKEN", None, ["ann@example.com"])


@pytest.mark.django_db
def test_send_mail__outside_and_inside_a_scope__is_written_sealed() -> None:
    write()
    with organization_scope(ids.uuid7()):
        write()
    with system_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(encode(sealed_message, 'escape'), '') FROM core_outgoingmail")
        assert "TOKEN" not in cursor.fetchone()[0]
    assert [row.recipients for row in rows()] == [["ann@example.com"]] * 2


@pytest.mark.django_db
def test_message_text__html_alternative__shows_the_plain_part() -> None:
    message = EmailMultiAlternatives("Grüße", "Schön ✓", None, ["ann@example.com"])
    message.attach_alternative("<p>Schön</p>", "text/html")
    assert message.send() == 1
    assert mail.message_text(rows()[0]).strip() == "Schön ✓"


@pytest.mark.django_db
def test_outgoing_mail__read_by_the_application__is_refused() -> None:
    with pytest.raises(DatabaseError, match="permission denied"), organization_scope(ids.uuid7()):
        OutgoingMail.objects.count()


@pytest.mark.django_db
def test_deliver__no_server_configured__leaves_it() -> None:
    write()
    assert mail.deliver() == 0
    assert rows()[0].attempts == 0


@pytest.mark.django_db
def test_deliver__server__sends_each_mail_once(settings: Settings, smtp: SmtpServer) -> None:
    settings.EMAIL_URL = smtp.url
    write("One")
    write("Two")
    assert mail.deliver() == 2
    assert mail.deliver() == 0
    assert sorted(b"Subject: One" in message for message in smtp.messages) == [False, True]
    assert b"confirm/TOKEN" in smtp.messages[0]
    assert all(row.sent_at for row in rows())


@pytest.mark.django_db
def test_deliver__server_away__tries_later_and_gives_up_in_the_end(settings: Settings) -> None:
    settings.EMAIL_URL = "smtp://127.0.0.1:1"
    write()
    assert mail.deliver() == 0
    row = rows()[0]
    assert (row.attempts, row.failed_at, row.sent_at) == (1, None, None)
    assert "ConnectionRefusedError" in row.last_error
    mail.retry_mail(mail_ids=[row.id])
    with system_scope():
        OutgoingMail.objects.update(attempts=mail.MOST_ATTEMPTS - 1)
    mail.deliver()
    assert rows()[0].failed_at is not None


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["http://host", "smtp://", "nonsense"])
def test_deliver__malformed_url__is_loud(settings: Settings, url: str) -> None:
    settings.EMAIL_URL = url
    write()
    with pytest.raises(ImproperlyConfigured):
        mail.deliver()


@pytest.mark.django_db
def test_send_messages__nobody_to_send_to__writes_nothing() -> None:
    assert get_connection().send_messages([EmailMultiAlternatives("x", "y", None, [])]) == 0
    assert rows() == []
