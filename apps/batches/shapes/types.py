"""What a shape is."""

from collections.abc import Sequence
from typing import Protocol

from apps.batches.claims import Claim
from apps.batches.completion import Call, Outcome
from apps.runs.types import RunRequest, RunResult


class Hands(Protocol):
    """What a shape works with."""

    async def execute(self, request: RunRequest, call: Call) -> RunResult:
        """Carry a run out; the rows that it answers are completed in the transaction that records it."""

    async def refuse(self, outcomes: Sequence[Outcome]) -> None:
        """End rows that no run answers."""


class Shape(Protocol):
    """How the rows of one job become calls."""

    def group(self, claims: Sequence[Claim]) -> list[tuple[Claim, ...]]:
        """Which of the claimed rows are worked on together."""

    async def work(self, claims: tuple[Claim, ...], hands: Hands) -> Sequence[Claim]:
        """Answer rows of one group, each exactly once; returns those that are to be tried once more.

        Raises PromptsaasError when they can't be: with status 503 they are put back for later, else they
        fail with its code and message.
        """
