"""The lines of a batch in a nameless file on this machine: their size is known before they are sent."""

import tempfile
from dataclasses import dataclass, field
from typing import IO
from uuid import UUID

from apps.batches.claims import Claim
from apps.providers.batches.types import Content, Limits

FRAME_BYTES = 1024
"""More than what stands around the lines."""


@dataclass(slots=True)
class Collected:
    """Lines as they come, up to the provider's limits. `kind` is what they all agree in."""

    limits: Limits
    joint: bytes
    kind: str = ""
    rows: int = 0
    size: int = 0
    file: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    def fits(self, line: bytes) -> bool:
        """Whether one more line finds room."""
        size = self.size + len(self.joint) + len(line) + FRAME_BYTES
        return self.rows < self.limits.requests and size <= self.limits.size

    def add(self, line: bytes) -> None:
        """Take a line that fits."""
        if self.rows:
            self.size += self.file.write(self.joint)
        self.size += self.file.write(line)
        self.rows += 1

    def content(self) -> Content:
        """What is sent."""
        self.file.flush()
        return Content(self.file, self.size)

    def close(self) -> None:
        """Drop the file."""
        self.file.close()


def custom_id(claim: Claim) -> str:
    """What a row is called at its provider: the same however often it is sent in one round."""
    return f"{claim.item_id.hex}-{claim.round}"


def read_custom_id(text: str) -> tuple[UUID, int] | None:
    """The item and the round that a name stands for; None for somebody else's."""
    item, _, number = text.partition("-")
    if len(item) != 32 or not number.isascii() or not number.isdigit() or len(number) > 5:
        return None
    try:
        return UUID(hex=item), int(number)
    except ValueError:
        return None
