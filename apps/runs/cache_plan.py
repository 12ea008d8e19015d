"""Whether a run may be answered from a cache, and what such an answer must have in common with it. Pure.

A call's own word comes first, then the policy of its prompt or project, which holds for the API only: batches
and the playground ask for fresh answers unless they say otherwise.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from apps.core.chat_content import attachments_of, text_of
from apps.prompts.serving import CacheRules
from apps.runs.types import CacheWish, PreparedRun

LONGEST_SECONDS: Final = 86_400
"""The longest time that an exact answer is kept; a policy's semantic ones may be kept for longer."""
DEFAULT_SECONDS: Final = 300
# Beyond this two texts are about the same long before they ask the same.
LONGEST_TEXT: Final = 8_000

_FIGURES: Final = re.compile(r"\d+(?:[.,:/-]\d+)*")


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What a run takes from caches and leaves in them; seconds of 0: nothing."""

    exact_seconds: int
    semantic_seconds: int
    threshold: float
    embedding_model: str
    sensitive_variables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What a run asks, in two parts: `fixed` has to be equal, `text` only has to mean the same."""

    fixed: bytes
    text: str


def plan_of(prepared: PreparedRun) -> CachePlan | None:
    """How a run may use caches; None where it may not, and nothing is to be done for it."""
    wish, rules = prepared.request.cache, prepared.rules.cache
    if wish is None and not (rules.exact_seconds or rules.semantic_seconds):
        return None
    # A project that stores no content has none to give: what was kept before it said so goes by its time.
    if not prepared.request.record_payload:
        return None
    if wish is None:
        if prepared.request.source != "gateway":
            return None
        return _plan(rules, rules.exact_seconds, rules.semantic_seconds, rules.threshold)
    if not wish.on:
        return None
    exact = wish.seconds or rules.exact_seconds or DEFAULT_SECONDS
    threshold = rules.threshold if wish.threshold is None else wish.threshold
    return _plan(rules, exact, _semantic_seconds(wish, rules, exact), threshold)


def _plan(rules: CacheRules, exact: int, semantic: int, threshold: float) -> CachePlan:
    if not rules.embedding_model:
        semantic = 0
    return CachePlan(exact, semantic, threshold, rules.embedding_model, rules.sensitive_variables)


def _semantic_seconds(wish: CacheWish, rules: CacheRules, exact: int) -> int:
    wanted = rules.semantic_seconds > 0 if wish.semantic is None else wish.semantic
    if not wanted:
        return 0
    return wish.seconds or rules.semantic_seconds or exact


def exact_question(prepared: PreparedRun) -> bytes:
    """Everything that decides the answer, in one order; the address too, for a connection can be changed."""
    return _dumped(_called(prepared) | {"messages": list(prepared.chat.messages)})


def question_of(prepared: PreparedRun, plan: CachePlan) -> Question | None:
    """The two parts of what a run asks; None where there is nothing that could mean the same in other words.

    Compared by meaning are the words of text variables and of the user's last message. Everything else is
    equal or another question: the version, other messages, variables that are no text or are sensitive, and
    every figure in the words, since 3 and 4 mean nearly the same to a model of meanings.
    """
    messages = prepared.request.messages
    if any(attachments_of(message) for message in messages) or (messages and messages[-1]["role"] != "user"):
        return None
    variables = _compared_variables(prepared, plan)
    last = text_of(messages[-1]) if messages else ""
    text = "\n".join(
        [*(f"{name}: {variables[name]}" for name in sorted(variables)), *([last] if last else [])]
    )
    if not text.strip() or len(text) > LONGEST_TEXT:
        return None
    fixed = _called(prepared) | _prompt(prepared)
    fixed["messages"] = list(messages[:-1])
    fixed["variables"] = {
        name: value for name, value in prepared.request.variables.items() if name not in variables
    }
    fixed["compared"] = sorted(variables)
    fixed["figures"] = _FIGURES.findall(text)
    return Question(_dumped(fixed), text)


def _compared_variables(prepared: PreparedRun, plan: CachePlan) -> dict[str, str]:
    return {
        name: value
        for name, value in prepared.request.variables.items()
        if isinstance(value, str) and name not in plan.sensitive_variables
    }


def _called(prepared: PreparedRun) -> dict[str, Any]:
    target, chat = prepared.target, prepared.chat
    return {
        "project": prepared.request.project_id,
        "livemode": prepared.request.livemode,
        "connection": [target.connection, target.kind],
        "model": target.model,
        "parameters": chat.parameters,
        "output_schema": chat.output_schema,
        "tools": list(chat.tools),
    }


def _prompt(prepared: PreparedRun) -> dict[str, Any]:
    """The version by its id, and by its words where it isn't saved."""
    prompt = prepared.prompt
    if prompt is None:
        return {"version": None}
    return {"version": prompt.version_id, "template": list(prompt.messages)}


def _dumped(value: dict[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
