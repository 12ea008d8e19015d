"""Asking again for an answer that breaks its schema, within the run's deadline."""

from dataclasses import replace
from typing import Final

from apps.providers.types import ChatRequest
from apps.runs import calling
from apps.runs.calling import RetryPolicy
from apps.runs.output_checks import LARGEST_BYTES
from apps.runs.outputs import parse_output
from apps.runs.progress import Progress
from apps.runs.types import PreparedRun

MOST_ATTEMPTS: Final = 2
_REQUEST: Final = "{problem} Answer again, with nothing but JSON that fits the schema."


async def complete(prepared: PreparedRun, progress: Progress, policy: RetryPolicy) -> None:
    """`calling.complete`, repeated at most `repair_attempts` times while the answer breaks its schema.

    A repeat that fails leaves the answer before it in `progress`. Raises only CancelledError.
    """
    chat, provider = prepared.chat, prepared.target.provider
    await calling.complete(provider, chat, progress, policy)
    for _ in range(prepared.request.repair_attempts):
        problem = _problem(chat, progress)
        if problem is None or progress.remaining() <= 0:
            return
        progress.attempts[-1] = replace(progress.attempts[-1], error="output_invalid")
        chat = _asking_again(chat, progress.text, problem)
        await calling.complete(provider, chat, progress, policy)


def _problem(chat: ChatRequest, progress: Progress) -> str | None:
    """Why the answer that just came has to be asked for again, if it has."""
    if progress.answer is None or progress.error is not None or progress.tool_calls:
        return None
    if len(progress.text) > LARGEST_BYTES:
        return None
    error = parse_output(progress.text, chat.output_schema)[1]
    return None if error is None else error.message


def _asking_again(chat: ChatRequest, text: str, problem: str) -> ChatRequest:
    said = {"role": "assistant", "content": text}
    asked = {"role": "user", "content": _REQUEST.format(problem=problem)}
    return replace(chat, messages=(*chat.messages, said, asked))
