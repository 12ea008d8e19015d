"""The guardrails' place in a run: what is checked, marked and redacted before the call and after it.

A run whose policy is off never comes here. What is redacted is redacted for everybody: the provider, the
caches, the caller and the run's record.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple

from apps.core.chat_content import text_of, with_texts
from apps.guardrails.canary import make_canary, with_canary
from apps.guardrails.findings import MOST_HITS, Hit, Piece, Scan
from apps.guardrails.guard import Guard
from apps.guardrails.plans import plan_of
from apps.guardrails.rules import GuardPolicy, Spotlight
from apps.guardrails.scanning import scan
from apps.guardrails.spotlight import Marker, make_marker
from apps.guardrails.streaming import StreamGuard, holds_back
from apps.prompts.rendering import coerce_values, render
from apps.prompts.rendering.data import as_text
from apps.prompts.types import ResolvedPrompt
from apps.providers import tokens
from apps.providers.tool_calls import ToolCallPieces
from apps.runs.guarded_texts import (
    answer_pieces,
    call_pieces,
    discreet,
    message_pieces,
    replace_answer,
    replace_calls,
    replace_messages,
    replace_values,
    texts_of_values,
    value_pieces,
)
from apps.runs.outputs import expected_of, parse_json, parse_output
from apps.runs.progress import Progress
from apps.runs.types import InlinePrompt, OutputRefusal, PreparedRun, RunDelta, RunError, RunRequest

Messages = tuple[dict[str, Any], ...]
Prompt = ResolvedPrompt | InlinePrompt
# More than this at once is looked at in a thread: RE2 lets others run meanwhile.
LONG_CHARACTERS: Final = 50_000
_SYSTEM_ROLES: Final = ("system", "developer")


class GuardedInput(NamedTuple):
    """A request as it may be stored, and the messages that may be sent."""

    request: RunRequest
    messages: Messages
    guard: Guard


async def guard_input(
    policy: GuardPolicy, request: RunRequest, prompt: Prompt | None, model: str, secret: bytes
) -> GuardedInput:
    """Check and redact what comes from outside, then render. `secret` is the organization's.

    Raises InvalidRequest as rendering does.
    """
    values = _values(request, prompt)
    first = len(prompt.messages) if prompt else 0
    hits: tuple[Hit, ...] = ()
    judged: tuple[Piece, ...] = ()
    if policy.judge is not None or not _is_clean(policy, values, request.messages):
        pieces = [*value_pieces(values), *message_pieces(request.messages, first)]
        scanned = await _scan(partial(scan, policy, "input", pieces, count_tokens=_counter(model)), pieces)
        request, values = _with_texts(request, values, pieces, scanned)
        hits = scanned.hits
        judged = _untrusted(pieces, scanned.texts) if policy.judge is not None else ()
    marker = (
        make_marker(policy.spotlight.mode, secret, _purpose(request, prompt)) if policy.spotlight else None
    )
    messages = _rendered(policy.spotlight, request, prompt, values, marker)
    if hits:
        hits = discreet(_moved(hits, len(messages) - first - len(request.messages)))
    canary = ""
    if policy.canary is not None:
        canary, messages = _with_canary(messages, make_canary(secret, _purpose(request, prompt)))
    return GuardedInput(request, messages, Guard(policy, hits, _blocker(hits), canary, judged))


def guard_answer(prepared: PreparedRun, progress: Progress) -> None:
    """Check and redact the answer, whole or as far as it came; may set `progress.withheld`. Safe twice."""
    guard = prepared.guard
    if guard is None or progress.guarded or not guard.policy.checks_output:
        return
    progress.guarded = True
    text, calls = progress.text, progress.tool_calls
    if not text and not calls:
        return
    is_json = expected_of(prepared.chat) is not None and not calls
    if not calls and not is_json and plan_of(guard.policy, "output").look((text,), guard.canary) is None:
        return
    pieces = [*answer_pieces(text, is_json=is_json), *call_pieces(calls, "tool_calls", trusted=False)]
    count = _counter(prepared.target.model)
    found = scan(guard.policy, "output", pieces, count_tokens=count, canary=guard.canary)
    note_hits(progress, discreet(found.hits))
    blocker = _blocker(found.hits)
    if blocker and progress.withheld is None:
        progress.withheld = withheld(progress, blocker)
    if found.texts != tuple(piece.text for piece in pieces):
        _replace_answer(prepared, progress, found, is_json)


async def guard_answer_in_time(prepared: PreparedRun, progress: Progress) -> None:
    """`guard_answer`, of a long answer in a thread."""
    if len(progress.text) < LONG_CHARACTERS:
        guard_answer(prepared, progress)
    else:
        await asyncio.to_thread(guard_answer, prepared, progress)


async def held_back(
    pieces: AsyncGenerator[RunDelta, None], prepared: PreparedRun, progress: Progress
) -> AsyncGenerator[RunDelta, None]:
    """A streamed answer's pieces as far as they may go; a block ends them, and hangs up on the provider.

    Tool calls go out in the end, whole: parts of them can't be redacted.
    """
    guard = prepared.guard
    assert guard is not None
    stream = StreamGuard(guard.policy, guard.canary)
    has_calls = False
    async with aclosing(pieces):
        async for piece in pieces:
            has_calls = has_calls or bool(piece.tool_calls)
            for delta in _released(stream.feed(piece.text), progress, cached=piece.cached):
                yield delta
            if stream.blocked:
                break
    for delta in _released(stream.finish(), progress, cached=False):
        yield delta
    if has_calls or stream.blocked:
        guard_answer(prepared, progress)
    if stream.blocked and progress.withheld is None:
        # Found in a part of the answer, such as a score that the whole does not reach.
        progress.withheld = withheld(progress, "")
    if has_calls and progress.withheld is None:
        yield RunDelta(
            "", tool_calls=tuple({"index": n, **call} for n, call in enumerate(progress.tool_calls))
        )


def guarded_pieces(
    pieces: AsyncGenerator[RunDelta, None], prepared: PreparedRun, progress: Progress
) -> AsyncGenerator[RunDelta, None]:
    """A streamed answer's pieces; as they come where no rule could keep one back."""
    guard = prepared.guard
    if guard is None or not holds_back(guard.policy):
        return pieces
    return held_back(pieces, prepared, progress)


def refused(rule: str) -> RunError:
    """Why a run ends before its call."""
    message = f"The guardrail '{rule}' blocked the request: change what it sends, or the rule."
    return _error(message, 400)


def withheld(progress: Progress, rule: str) -> OutputRefusal:
    """Why an answer isn't given; what of it has gone out already is kept."""
    by = f"The guardrail '{rule}'" if rule else "A guardrail"
    message = f"{by} blocked the answer: ask again, or for something else."
    return OutputRefusal(_error(message, 422), "".join(progress.released))


def note_hits(progress: Progress, hits: Iterable[Hit]) -> None:
    """Add hits to the run's, up to as many as are kept."""
    room = MOST_HITS - len(progress.hits)
    progress.hits.extend(hit.as_json() for hit in list(hits)[:room])


def _released(text: str, progress: Progress, *, cached: bool) -> Iterable[RunDelta]:
    if text:
        progress.released.append(text)
        yield RunDelta(text, cached=cached)


def _is_clean(policy: GuardPolicy, values: Mapping[str, Any], messages: Messages) -> bool:
    """Whether one quick look tells that no rule finds anything in a request, as of most."""
    texts = texts_of_values(values)
    if messages:
        texts.extend(piece.text for piece in message_pieces(messages, 0))
    if not texts:
        return True
    return sum(map(len, texts)) < LONG_CHARACTERS and plan_of(policy, "input").look(texts) is None


def _untrusted(pieces: list[Piece], texts: tuple[str, ...]) -> tuple[Piece, ...]:
    """What a judge is asked about: what others wrote, as it goes on."""
    both = zip(pieces, texts, strict=True)
    return tuple(Piece(piece.place, text) for piece, text in both if not piece.trusted)


async def _scan(look: Callable[[], Scan], pieces: list[Piece]) -> Scan:
    if sum(len(piece.text) for piece in pieces) < LONG_CHARACTERS:
        return look()
    return await asyncio.to_thread(look)


def _values(request: RunRequest, prompt: Prompt | None) -> dict[str, Any]:
    """The values given, those of declared variables as their templates read them."""
    given = dict(request.variables)
    if prompt is None or not any(variable["type"] != "text" for variable in prompt.variables):
        return given
    coerced = coerce_values(prompt.variables, given)
    return {name: coerced.get(name, value) for name, value in given.items()}


def _purpose(request: RunRequest, prompt: Prompt | None) -> str:
    """What tokens and tags are for: the same for equal runs."""
    return f"{request.project_id}:{prompt.prompt_id if prompt else ''}"


def _with_texts(
    request: RunRequest, values: dict[str, Any], pieces: list[Piece], scanned: Scan
) -> tuple[RunRequest, dict[str, Any]]:
    if not scanned.hits:
        return request, values
    texts = iter(scanned.texts)
    values = replace_values(values, texts)
    return replace(request, variables=values, messages=replace_messages(request.messages, texts)), values


def _rendered(
    spotlight: Spotlight | None,
    request: RunRequest,
    prompt: Prompt | None,
    values: dict[str, Any],
    marker: Marker | None,
) -> Messages:
    if prompt is None:
        return request.messages
    mark = _mark(spotlight, values, marker) if spotlight and marker else None
    rendered = render(prompt.messages, _as_given(prompt.variables, values), values, mark)
    if marker is not None:
        rendered = _with_instruction(rendered, marker)
    return (*rendered, *request.messages)


def _as_given(variables: Sequence[dict[str, Any]], values: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    """The variables, of which a redacted number or JSON value has become a text."""
    if all(variable["type"] == "text" for variable in variables):
        return variables
    return [
        {**variable, "type": "text"} if isinstance(values.get(variable["name"]), str) else variable
        for variable in variables
    ]


def _mark(spotlight: Spotlight, values: Mapping[str, Any], marker: Marker) -> Callable[[str], str]:
    """How a value that a template puts out is marked; those of trusted variables are not."""
    if spotlight.variables is None:
        return marker.mark
    others = (value for name, value in values.items() if name not in spotlight.variables)
    trusted = {text for value in others for text in _texts_of(value)}
    return lambda text: text if text in trusted else marker.mark(text)


def _texts_of(value: Any) -> Iterable[str]:
    yield as_text(value)
    if isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts_of(item)


def _with_instruction(messages: list[dict[str, Any]], marker: Marker) -> list[dict[str, Any]]:
    """The messages with a word about marked values, if there are any, in front."""
    if not any(marker.opening in text_of(message) for message in messages):
        return messages
    if messages[0].get("role") in _SYSTEM_ROLES:
        first = with_texts(messages[0], lambda text: f"{text}\n\n{marker.instruction}")
        return [first, *messages[1:]]
    return [{"role": "system", "content": marker.instruction}, *messages]


def _moved(hits: tuple[Hit, ...], by: int) -> tuple[Hit, ...]:
    """The hits with their messages' numbers after others were put in front."""
    return tuple(replace(hit, place=_moved_place(hit.place, by)) for hit in hits) if by else hits


def _moved_place(place: str, by: int) -> str:
    head, _, rest = place.partition(".")
    number, dot, path = rest.partition(".")
    return f"{head}.{int(number) + by}{dot}{path}" if head == "messages" else place


def _with_canary(messages: Messages, token: str) -> tuple[str, Messages]:
    """The messages with the token in the system prompt; without one there is nothing to leak."""
    for number, message in enumerate(messages):
        if message.get("role") in _SYSTEM_ROLES and isinstance(message.get("content"), str):
            changed = {**message, "content": with_canary(message["content"], token)}
            return token, (*messages[:number], changed, *messages[number + 1 :])
    return "", messages


def _replace_answer(prepared: PreparedRun, progress: Progress, found: Scan, is_json: bool) -> None:
    """Put the redacted answer in the place of the one that came, and keep what its schema said of that."""
    texts = iter(found.texts)
    schema = None if progress.tool_calls else expected_of(prepared.chat)
    redacted = replace_answer(progress.text, texts, is_json=is_json)
    calls = replace_calls(progress.tool_calls, texts)
    if progress.answer is None:
        progress.parts = [redacted]
        progress.calls = ToolCallPieces()
        for index, call in enumerate(calls):
            progress.calls.add({"index": index, **call, **call["function"]})
        return
    if schema is not None:
        problem = parse_output(progress.text, schema)[1]
        progress.checked = parse_json(redacted), problem
    progress.answer = replace(progress.answer, text=redacted, tool_calls=calls)


def _blocker(hits: tuple[Hit, ...]) -> str:
    """The rule that blocks, if one does."""
    return next((hit.rule for hit in hits if hit.action == "block"), "")


def _error(message: str, status: int) -> RunError:
    return RunError(code="guardrail_blocked", type="invalid_request_error", message=message, status=status)


def _counter(model: str) -> Callable[[str], int]:
    return lambda text: tokens.count(text, model)
