"""The body of POST /v1/chat/completions. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.core.records import record
from apps.gateway import fields
from apps.gateway.chat_options import cache_wish, repair_attempts
from apps.gateway.fields import typed
from apps.runs.conversation import clean_messages
from apps.runs.inputs import PARAMETERS
from apps.runs.types import CacheWish, PromptReference

DEFAULT_LABEL: Final = "production"
PROMPT_PREFIX: Final = "prompt:"
_OWN_FIELDS: Final = frozenset(
    {"model", "messages", "prompt", "variables", "stream", "stream_options", "metadata", "user"}
    | {"cache", "repair", "tools", "unit", "safety_identifier", "store"}
)
# What clients send of themselves although it asks for nothing.
_ONLY: Final[fields.SpecialFields] = {
    "n": ((1,), "One answer is given per request."),
    "logprobs": ((False,), "Log probabilities are not passed on."),
    "top_logprobs": ((0,), "Log probabilities are not passed on."),
    "service_tier": (("auto", "default"), "service_tier can't be chosen here."),
    "modalities": ((["text"],), "Answers are text."),
}

_FIELDS: Final = _OWN_FIELDS | PARAMETERS.keys() | _ONLY.keys()
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@record(frozen=True, slots=True)
class ChatBody:
    """A checked body. `requested` is the model as the caller named it."""

    requested: str
    model: str | None
    prompt: PromptReference | None
    messages: tuple[dict[str, Any], ...]
    variables: dict[str, Any]
    parameters: dict[str, Any]
    metadata: dict[str, str]
    user: str
    unit: str
    store: bool
    stream: bool
    include_usage: bool
    cache: CacheWish | None
    repair_attempts: int | None
    tools: tuple[dict[str, Any], ...] | None


def parse_chat_body(body: Any) -> ChatBody:
    """Check a body's shape. Raises InvalidRequest naming the field."""
    body = fields.object_body(body, _FIELDS)
    fields.refuse_special(body, _ONLY)
    model, prompt, prompt_variables = _target(body)
    stream = typed(body, "stream", bool, False)
    return ChatBody(
        requested=typed(body, "model", str, ""),
        model=model,
        prompt=prompt,
        messages=clean_messages(typed(body, "messages", list, ())),
        variables=prompt_variables | typed(body, "variables", dict, {}),
        parameters=_parameters(body),
        metadata=fields.metadata(body),
        user=fields.user(body),
        unit=fields.unit(body),
        store=typed(body, "store", bool, True),
        stream=stream,
        include_usage=bool(typed(body, "stream_options", dict, _NOTHING).get("include_usage", False)),
        cache=cache_wish(body),
        repair_attempts=repair_attempts(body),
        tools=fields.tools(body),
    )


def parse_reference(text: str, *, param: str = "model") -> PromptReference:
    """`<name>`, `<name>@<label>` or `<name>#<number>`. Raises InvalidRequest."""
    if "#" in text:
        name, _, number = text.rpartition("#")
        if name and number.isascii() and number.isdigit() and len(number) < 10:
            return PromptReference(name, number=int(number))
    else:
        name, separator, label = text.rpartition("@")
        if not separator:
            name, label = text, DEFAULT_LABEL
        if name and label:
            return PromptReference(name, label=label)
    raise InvalidRequest(
        "A prompt is named prompt:<name>, prompt:<name>@<label> or prompt:<name>#<number>.",
        code="prompt_malformed",
        param=param,
    )


def _parameters(body: dict[str, Any]) -> dict[str, Any]:
    if PARAMETERS.keys().isdisjoint(body):
        return {}
    return {name: body[name] for name in PARAMETERS if body.get(name) is not None}


def _target(body: dict[str, Any]) -> tuple[str | None, PromptReference | None, dict[str, Any]]:
    if body.get("prompt") is not None:
        reference, variables = prompt_object(body["prompt"])
        return None, reference, variables
    model = typed(body, "model", str, "")
    if not model:
        raise InvalidRequest("No model was named.", code="model_missing", param="model")
    if model.startswith(PROMPT_PREFIX):
        return None, parse_reference(model.removeprefix(PROMPT_PREFIX)), {}
    return model, None, {}


def prompt_object(prompt: Any) -> tuple[PromptReference, dict[str, Any]]:
    """OpenAI's stored-prompt object: `{"id": name, "version": "3", "variables": {…}}`.

    Without a version the id may name one: `name@label` or `name#3`. Raises InvalidRequest.
    """
    if not isinstance(prompt, dict) or not isinstance(prompt.get("id"), str):
        raise InvalidRequest("prompt is an object with an id.", param="prompt.id")
    variables = typed(prompt, "variables", dict, {}, path="prompt.")
    version = prompt.get("version")
    if version is None:
        return parse_reference(prompt["id"], param="prompt.id"), variables
    return parse_reference(f"{prompt['id']}#{version}", param="prompt.version"), variables
