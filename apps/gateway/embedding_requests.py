"""The body of POST /v1/embeddings. Pure."""

from dataclasses import dataclass, field
from typing import Any, Final

from apps.core.errors import InvalidRequest
from apps.gateway import fields
from apps.gateway.chat_requests import PROMPT_PREFIX
from apps.gateway.fields import typed
from apps.runs.embedding import Input, input_messages

MOST_INPUTS: Final = 2_048
MOST_TOKENS_OF_INPUT: Final = 8_192
MOST_DIMENSIONS: Final = 16_384
FORMATS: Final = ("float", "base64")
_LARGEST_TOKEN: Final = 2**31 - 1
_FIELDS: Final = frozenset(
    {
        "model",
        "input",
        "encoding_format",
        "dimensions",
        "metadata",
        "user",
        "safety_identifier",
        "unit",
        "store",
    }
)


@dataclass(frozen=True, slots=True)
class EmbeddingBody:
    """A checked body; each input is a text or its tokens' numbers, and stands in `messages` too."""

    model: str
    inputs: tuple[Input, ...]
    messages: tuple[dict[str, Any], ...]
    dimensions: int | None
    as_base64: bool
    metadata: dict[str, str]
    user: str
    unit: str
    store: bool
    prompt: None = None
    variables: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    cache: None = None
    repair_attempts: None = None
    tools: None = None


def parse_embedding_body(body: Any) -> EmbeddingBody:
    """Check a body's shape. Raises InvalidRequest naming the field."""
    body = fields.object_body(body, _FIELDS)
    inputs = _inputs(body.get("input"))
    return EmbeddingBody(
        model=_model(body),
        inputs=inputs,
        messages=input_messages(inputs),
        dimensions=_dimensions(body),
        as_base64=_format(body) == "base64",
        metadata=fields.metadata(body),
        user=fields.user(body),
        unit=fields.unit(body),
        store=typed(body, "store", bool, True),
    )


def _model(body: dict[str, Any]) -> str:
    model: str = typed(body, "model", str, "")
    if not model:
        raise InvalidRequest("No model was named.", code="model_missing", param="model")
    if model.startswith(PROMPT_PREFIX):
        raise InvalidRequest("A prompt makes no embeddings: name a model.", param="model")
    return model


def _inputs(given: Any) -> tuple[Input, ...]:
    """OpenAI's four forms: a text, texts, a text's tokens, several texts' tokens."""
    if isinstance(given, str):
        return (_input(given, "input"),)
    if not isinstance(given, list) or not given:
        raise InvalidRequest("input is text, tokens, or a list of either.", param="input")
    if _is_token(given[0]):
        return (_input(given, "input"),)
    if len(given) > MOST_INPUTS:
        raise InvalidRequest(f"At most {MOST_INPUTS:,} inputs a call.", param="input")
    return tuple(_input(each, f"input.{index}") for index, each in enumerate(given))


def _input(given: Any, param: str) -> Input:
    if isinstance(given, str) and given:
        return given
    if isinstance(given, list) and 0 < len(given) <= MOST_TOKENS_OF_INPUT and all(map(_is_token, given)):
        return tuple(given)
    raise InvalidRequest(
        f"An input is a text that isn't empty, or 1 to {MOST_TOKENS_OF_INPUT:,} tokens.", param=param
    )


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_TOKEN


def _dimensions(body: dict[str, Any]) -> int | None:
    found: int | None = typed(body, "dimensions", int, None)
    if found is not None and not 1 <= found <= MOST_DIMENSIONS:
        raise InvalidRequest(
            f"dimensions is a whole number from 1 to {MOST_DIMENSIONS:,}.",
            code="parameter_invalid",
            param="dimensions",
        )
    return found


def _format(body: dict[str, Any]) -> str:
    found: str = typed(body, "encoding_format", str, "float")
    if found not in FORMATS:
        raise InvalidRequest(
            f"encoding_format is one of {', '.join(FORMATS)}.",
            code="parameter_invalid",
            param="encoding_format",
        )
    return found
