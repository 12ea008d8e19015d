"""From the body of POST /v1/chat/completions to a RunRequest. Pure."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from apps.core.errors import InvalidRequest
from apps.gateway.chat_options import cache_seconds, repair_attempts
from apps.runs.inputs import PARAMETERS
from apps.runs.types import PromptReference, RunRequest
from apps.tenants.access import AccessFacts

DEFAULT_LABEL: Final = "production"
PROMPT_PREFIX: Final = "prompt:"
LONGEST_RUN_SECONDS: Final = 120.0
METADATA_PAIRS: Final = 50
METADATA_KEY_LENGTH: Final = 64
METADATA_VALUE_LENGTH: Final = 512
USER_LENGTH: Final = 255
_OWN_FIELDS: Final = frozenset(
    {"model", "messages", "prompt", "variables", "stream", "stream_options", "metadata", "user", "n"}
    | {"cache", "repair"}
)


@dataclass(frozen=True, slots=True)
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
    stream: bool
    include_usage: bool
    cache_seconds: int | None
    repair_attempts: int


def parse_chat_body(body: Any) -> ChatBody:
    """Check a body's shape. Raises InvalidRequest naming the field."""
    if not isinstance(body, dict):
        raise InvalidRequest("The body is a JSON object.", code="invalid_json")
    for name in body:
        if name not in _OWN_FIELDS and name not in PARAMETERS:
            raise InvalidRequest(f"'{name}' is not supported.", code="unsupported_parameter", param=name)
    if body.get("n") not in (None, 1):
        raise InvalidRequest("One answer is given per request.", code="unsupported_parameter", param="n")
    model, prompt, prompt_variables = _target(body)
    stream = _typed(body, "stream", bool, False)
    return ChatBody(
        requested=_typed(body, "model", str, ""),
        model=model,
        prompt=prompt,
        messages=_messages(body),
        variables=prompt_variables | _typed(body, "variables", dict, {}),
        parameters={name: body[name] for name in PARAMETERS if body.get(name) is not None},
        metadata=_metadata(body),
        user=_user(body),
        stream=stream,
        include_usage=bool(_typed(body, "stream_options", dict, {}).get("include_usage", False)),
        cache_seconds=cache_seconds(body),
        repair_attempts=repair_attempts(body, stream=stream),
    )


def run_request(
    body: ChatBody, facts: AccessFacts, *, run_id: UUID, request_id: str, claim: UUID | None
) -> RunRequest:
    """The run that a checked body asks for, in the name of a key."""
    return RunRequest(
        run_id=run_id,
        organization_id=facts.organization_id,
        project_id=facts.project_id,
        source="gateway",
        usage_key=f"run:{run_id}",
        prompt=body.prompt,
        model=body.model,
        messages=body.messages,
        variables=body.variables,
        overrides=body.parameters,
        metadata=body.metadata,
        user=body.user,
        api_key_id=facts.api_key_id,
        request_id=request_id,
        livemode=facts.livemode,
        timeout_seconds=LONGEST_RUN_SECONDS,
        claim=claim,
        cache_seconds=body.cache_seconds,
        repair_attempts=body.repair_attempts,
    )


def fingerprint(body: Any) -> bytes:
    """What must be the same for a request to be a repeat: every field, in any order."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


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


def _target(body: dict[str, Any]) -> tuple[str | None, PromptReference | None, dict[str, Any]]:
    if body.get("prompt") is not None:
        reference, variables = _prompt_object(body["prompt"])
        return None, reference, variables
    model = _typed(body, "model", str, "")
    if not model:
        raise InvalidRequest("No model was named.", code="model_missing", param="model")
    if model.startswith(PROMPT_PREFIX):
        return None, parse_reference(model.removeprefix(PROMPT_PREFIX)), {}
    return model, None, {}


def _prompt_object(prompt: Any) -> tuple[PromptReference, dict[str, Any]]:
    """OpenAI's stored-prompt object: `{"id": name, "version": "3", "variables": {…}}`."""
    if not isinstance(prompt, dict) or not isinstance(prompt.get("id"), str):
        raise InvalidRequest("prompt is an object with an id.", param="prompt.id")
    variables = _typed(prompt, "variables", dict, {}, path="prompt.")
    version = prompt.get("version")
    if version is None:
        return PromptReference(prompt["id"], label=DEFAULT_LABEL), variables
    return parse_reference(f"{prompt['id']}#{version}", param="prompt.version"), variables


def _messages(body: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    messages = _typed(body, "messages", list, [])
    return tuple(_message(message, index) for index, message in enumerate(messages))


def _message(message: Any, index: int) -> dict[str, Any]:
    param = f"messages.{index}"
    if not isinstance(message, dict):
        raise InvalidRequest("A message is an object.", param=param)
    unknown = set(message) - {"role", "content"}
    if any(message[name] is not None for name in unknown):
        name = min(unknown)
        raise InvalidRequest(
            f"'{name}' is not supported.", code="unsupported_parameter", param=f"{param}.{name}"
        )
    content = message.get("content")
    if isinstance(content, list):
        content = _joined_parts(content, param)
    return {"role": message.get("role"), "content": content}


def _joined_parts(parts: list[Any], param: str) -> str:
    """OpenAI's list of content parts, text only."""
    texts = []
    for index, part in enumerate(parts):
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise InvalidRequest(
                "Only text parts are supported.",
                code="unsupported_content",
                param=f"{param}.content.{index}",
            )
        texts.append(part["text"])
    return "".join(texts)


def _metadata(body: dict[str, Any]) -> dict[str, str]:
    metadata: dict[str, str] = _typed(body, "metadata", dict, {})
    if len(metadata) > METADATA_PAIRS:
        raise InvalidRequest(f"metadata holds at most {METADATA_PAIRS} pairs.", param="metadata")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise InvalidRequest("A metadata value is text.", param=f"metadata.{key}")
        if len(key) > METADATA_KEY_LENGTH or len(value) > METADATA_VALUE_LENGTH:
            raise InvalidRequest(
                f"A metadata key has at most {METADATA_KEY_LENGTH} characters, "
                f"a value {METADATA_VALUE_LENGTH}.",
                param=f"metadata.{key[:METADATA_KEY_LENGTH]}",
            )
    return metadata


def _user(body: dict[str, Any]) -> str:
    user: str = _typed(body, "user", str, "")
    if len(user) > USER_LENGTH:
        raise InvalidRequest(f"user has at most {USER_LENGTH} characters.", param="user")
    return user


def _typed(body: dict[str, Any], name: str, kind: type[Any], default: Any, *, path: str = "") -> Any:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        words = {bool: "true or false", dict: "an object", list: "a list", str: "text"}
        raise InvalidRequest(f"{path}{name} must be {words[kind]}.", param=path + name)
    return value
