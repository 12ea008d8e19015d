"""The words of providers' batch endpoints: what goes up, how a batch stands there, what comes back."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, Final, Literal, Protocol

from apps.providers.types import ChatRequest, ChatResult, ProviderCallError

CHUNK_BYTES: Final = 256 * 1024

Stage = Literal["running", "ended", "failed"]
"""How a batch stands at its provider: `ended` has answers, perhaps not for all calls; `failed` has none."""

Fate = Literal["answered", "failed", "expired", "cancelled"]
"""What became of one call. `failed`: the provider says why; the last two were never made."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one batch may hold: calls, and bytes of what is sent."""

    requests: int
    size: int


@dataclass(frozen=True, slots=True)
class Content:
    """The lines of a batch in a file on this machine, as `BatchEndpoint.line` made them, already joined."""

    file: IO[bytes]
    size: int

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the beginning, a piece at a time."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK_BYTES):
            yield chunk


@dataclass(frozen=True, slots=True)
class RemoteBatch:
    """A batch as its provider tells of it. `mark` is what we wrote on it, "" where the provider keeps none.

    `requests`, `answered` and `failed` are the provider's counts, which may lag. `error` is why it failed as
    a whole. `sources` are what its answers are read from.
    """

    id: str
    stage: Stage
    created_at: datetime | None = None
    mark: str = ""
    requests: int = 0
    answered: int = 0
    failed: int = 0
    error_code: str = ""
    error_message: str = ""
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a batch's answers, not yet read as an answer."""

    custom_id: str
    fate: Fate
    raw: dict[str, Any] = field(repr=False)


class BatchEndpoint(Protocol):
    """A connection's batch endpoint. Every call raises ProviderCallError; nothing is tried again."""

    limits: Limits
    joint: bytes
    """What stands between two lines of the content."""

    def line(self, custom_id: str, request: ChatRequest) -> bytes:
        """A call as it stands in the content, without the joint. Raises InvalidRequest."""
        ...

    def kind(self, request: ChatRequest) -> str:
        """What all calls of one batch must agree in, such as the model."""
        ...

    async def probe(self) -> None:
        """Raise ProviderCallError where the server has no batch endpoint, or lets this key not use it."""
        ...

    async def upload(self, content: Content, name: str) -> str:
        """Put the content where `create` finds it; its id there, "" where `create` sends it itself."""
        ...

    async def find_upload(self, name: str, size: int) -> str:
        """The id of an upload of this name and size, "" if there is none."""
        ...

    async def create(self, upload: str, content: Content | None, mark: str, version: str) -> RemoteBatch:
        """Begin a batch of what was uploaded; `content` where `upload` is "", `version` as `kind` gave it.

        `mark` is written on it where the provider keeps such words.
        """
        ...

    async def find(
        self, mark: str, since: datetime, requests: int, known: Collection[str]
    ) -> RemoteBatch | None:
        """A batch that we may have begun after `since` without hearing so.

        By the mark where the provider keeps it: then it is ours for certain. Else by time and size, leaving
        out those of `known`; only its answers tell then whose it is.
        """
        ...

    async def get(self, batch_id: str) -> RemoteBatch:
        """How a batch stands."""
        ...

    async def cancel(self, batch_id: str) -> RemoteBatch:
        """Ask for the end of a batch; what is finished by then can be fetched. Harmless for an ended one."""
        ...

    def lines(self, batch: RemoteBatch) -> AsyncIterator[Line]:
        """The answers of an ended batch, in any order; what is no answer is passed over."""
        ...

    def answer(self, line: Line, request: ChatRequest) -> ChatResult | ProviderCallError:
        """A line of the fate `answered` or `failed`, read as the answer to a call."""
        ...

    async def tidy(self, batch: RemoteBatch, upload: str) -> None:
        """Delete what lies at the provider of a batch whose answers are stored here."""
        ...

    async def close(self) -> None:
        """Close what is held open."""
        ...
