"""What stands for the batch endpoint of a connection that was deleted while a batch lies there."""

from collections.abc import AsyncIterator, Collection
from datetime import datetime
from typing import Final, NoReturn

from apps.providers.batches.openai_batches import LIMITS
from apps.providers.batches.types import Content, Line, RemoteBatch
from apps.providers.types import ChatRequest, ChatResult, ProviderCallError

DELETED: Final = (
    "The provider connection was deleted. Make it again by its name to have the answers, or stop the batch."
)


class DeletedConnection:
    """See BatchEndpoint: nobody answers."""

    limits = LIMITS
    joint = b"\n"

    def line(self, custom_id: str, request: ChatRequest) -> bytes:
        """See BatchEndpoint.line."""
        _refuse()

    def kind(self, request: ChatRequest) -> str:
        """See BatchEndpoint.kind."""
        return request.model

    async def probe(self) -> None:
        """See BatchEndpoint.probe."""
        _refuse()

    async def upload(self, content: Content, name: str) -> str:
        """See BatchEndpoint.upload."""
        _refuse()

    async def find_upload(self, name: str, size: int) -> str:
        """See BatchEndpoint.find_upload."""
        _refuse()

    async def create(self, upload: str, content: Content | None, mark: str, version: str) -> RemoteBatch:
        """See BatchEndpoint.create."""
        _refuse()

    async def find(
        self, mark: str, since: datetime, requests: int, known: Collection[str]
    ) -> RemoteBatch | None:
        """See BatchEndpoint.find."""
        _refuse()

    async def get(self, batch_id: str) -> RemoteBatch:
        """See BatchEndpoint.get."""
        _refuse()

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """See BatchEndpoint.cancel."""
        _refuse()

    def lines(self, batch: RemoteBatch) -> AsyncIterator[Line]:
        """See BatchEndpoint.lines."""
        _refuse()

    def answer(self, line: Line, request: ChatRequest) -> ChatResult | ProviderCallError:
        """See BatchEndpoint.answer."""
        _refuse()

    async def tidy(self, batch: RemoteBatch, upload: str) -> None:
        """See BatchEndpoint.tidy."""
        _refuse()

    async def close(self) -> None:
        """See BatchEndpoint.close."""


def _refuse() -> NoReturn:
    # It may come back, so whoever asks tries again.
    raise ProviderCallError(DELETED, reason="connection", retryable=True)
