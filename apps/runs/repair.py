"""Asking again for an answer that breaks its schema, within the run's deadline."""

from dataclasses import replace
from typing import Final

from apps.providers.types import ChatRequest
from apps.runs import calling
from apps.runs.calling import Route
from apps.runs.output_checks import LARGEST_BYTES
from apps.runs.outputs import expected_of, problem_of
from apps.runs.progress import Progress
from apps.runs.types import PreparedRun

MOST_ATTEMPTS: Final = 2
_REQUEST: Final = "{problem} Answer again, with nothing but JSON that fits the schema."


async def complete(prepared: PreparedRun, progress: Progress, way: Route) -> None:
    """`calling.complete`, repeated at most `repair_attempts` times while the answer breaks its schema.

    A repeat that fails leaves the answer before it in `progress`. Raises only CancelledError.
    """
    chat = prepared.chat
    await calling.complete(way, progress)
    for _ in range(attempts_of(prepared)):
        problem = _problem(chat, progress)
        if problem is None or progress.remaining() <= 0:
            return
        progress.attempts[-1] = replace(progress.attempts[-1], error="output_invalid")
        chat = _asking_again(chat, progress.text, problem)
        await calling.complete(way.asking(chat, progress.answered), progress, "repair")


def attempts_of(prepared: PreparedRun) -> int:
    """How often to ask again: as the call says, else as the policy does."""
    asked = prepared.request.repair_attempts
    return prepared.rules.calls.repair_attempts if asked is None else asked


def holds_back(prepared: PreparedRun) -> bool:
    """Whether a stream waits for its answer to fit: only where the call itself asks for repair.

    What was sent can't be taken back; a policy's repair leaves streams as quick as they are.
    """
    return bool(prepared.request.repair_attempts) and expected_of(prepared.chat) is not None


def _problem(chat: ChatRequest, progress: Progress) -> str | None:
    """Why the answer that just came has to be asked for again, if it has."""
    if progress.answer is None or progress.error is not None or progress.tool_calls:
        return None
    if len(progress.text) > LARGEST_BYTES:
        return None
    return problem_of(progress.text, expected_of(chat))


def _asking_again(chat: ChatRequest, text: str, problem: str) -> ChatRequest:
    said = {"role": "assistant", "content": text}
    asked = {"role": "user", "content": _REQUEST.format(problem=problem)}
    return replace(chat, messages=(*chat.messages, said, asked))
