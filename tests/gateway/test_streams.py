"""Streams whose client reads slowly, or not at all."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from apps.gateway import http
from apps.gateway.http import ReaderStalled, send_event


def test_send_event__to_a_client_that_reads_nothing__gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def send(message: MutableMapping[str, Any]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(http, "READER_SECONDS", 0.001)
    with pytest.raises(ReaderStalled):
        asyncio.run(send_event(send, {"text": "word"}))


def test_send_event__named__is_one_event_of_two_lines() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(send_event(send, {"text": "word"}, b"output.delta"))
    assert [message["body"] for message in sent] == [b'event: output.delta\ndata: {"text":"word"}\n\n']
    assert sent[0]["more_body"] is True
