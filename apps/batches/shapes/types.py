"""What a shape is."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from apps.batches.claims import Claim
from apps.batches.completion import Call
from apps.runs.types import RunRequest, RunResult

Execute = Callable[[RunRequest, Call], Awaitable[RunResult]]
"""Carries a run out; rows that it answers are completed in the transaction that records it."""


class Shape(Protocol):
    """How the rows of one job become calls."""

    def group(self, claims: Sequence[Claim]) -> list[tuple[Claim, ...]]:
        """Which of the claimed rows are worked on together."""

    async def work(self, claims: tuple[Claim, ...], execute: Execute) -> None:
        """Answer rows of one group, each exactly once.

        Raises PromptsaasError when they can't be: with status 503 they are put back for later, else they
        fail with its code and message.
        """
