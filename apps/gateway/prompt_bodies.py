"""The addresses and bodies of /api/v1/prompts/<name>. Pure."""

from dataclasses import dataclass, field
from typing import Any, Final

from apps.core.errors import InvalidRequest, NotFound
from apps.core.numbers import whole_number
from apps.gateway import fields
from apps.gateway.chat_options import cache_wish, repair_attempts
from apps.gateway.fields import typed
from apps.gateway.http import HttpRequest
from apps.prompts.types import PRODUCTION
from apps.runs.conversation import clean_messages
from apps.runs.inputs import check_parameters
from apps.runs.types import CacheWish, PromptReference

PREFIX: Final = "/api/v1/prompts/"
RUN: Final = "/run"
RENDER: Final = "/render"
_SHARED: Final = frozenset(
    {"label", "version", "variables", "messages", "model", "overrides", "parameters", "tools"}
)
RENDER_FIELDS: Final = _SHARED
RUN_FIELDS: Final = _SHARED | {"stream", "background", "metadata", "user", "cache", "repair", "unit", "store"}


@dataclass(frozen=True, slots=True)
class PromptCall:
    """A checked body of render or run; render leaves the last six as they are."""

    prompt: PromptReference
    variables: dict[str, Any]
    messages: tuple[dict[str, Any], ...]
    model: str | None
    parameters: dict[str, Any]
    tools: tuple[dict[str, Any], ...] | None
    stream: bool = False
    background: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    user: str = ""
    unit: str = ""
    store: bool = True
    cache: CacheWish | None = None
    repair_attempts: int | None = None


def prompt_name(request: HttpRequest, ending: str = "") -> str:
    """The name, or id, in an address, which is decoded already. Raises NotFound for what can be neither."""
    name = request.path.removeprefix(PREFIX).removesuffix(ending)
    if not name.isprintable():  # neither NUL nor half a character pair may reach the database
        raise NotFound("There is no such prompt.", code="prompt_not_found", param="name")
    return name


def asked_version(request: HttpRequest) -> PromptReference:
    """The version that an address asks for: `?version=`, `?label=`, or production."""
    label, text = request.query("label") or None, request.query("version") or None
    number = None
    if text is not None:
        number = whole_number(text)
        if number is None or not 1 <= number <= fields.LARGEST_NUMBER:
            raise InvalidRequest("version must be a version's number.", param="version")
    return reference(prompt_name(request), label, number)


def reference(name: str, label: str | None, number: int | None) -> PromptReference:
    """A prompt at a label or a number; production without either. Raises InvalidRequest for both."""
    if label is not None and number is not None:
        raise InvalidRequest("Give version or label, not both.", param="label")
    if number is not None:
        return PromptReference(name, number=number)
    return PromptReference(name, label=label or PRODUCTION)


def parse_render(name: str, body: Any) -> PromptCall:
    """The body of render. Raises InvalidRequest naming the field."""
    return PromptCall(**_shared(name, fields.object_body(body, RENDER_FIELDS)))


def parse_run(name: str, body: Any) -> PromptCall:
    """The body of run. Raises InvalidRequest naming the field."""
    body = fields.object_body(body, RUN_FIELDS)
    stream, background = typed(body, "stream", bool, False), typed(body, "background", bool, False)
    if stream and background:
        raise InvalidRequest("A background run can't be streamed.", param="background")
    return PromptCall(
        **_shared(name, body),
        stream=stream,
        background=background,
        metadata=fields.metadata(body),
        user=fields.user(body),
        unit=fields.unit(body),
        store=typed(body, "store", bool, True),
        cache=cache_wish(body),
        repair_attempts=repair_attempts(body),
    )


def call_parameters(body: dict[str, Any], *, field: str = "parameters") -> dict[str, Any]:
    """`parameters`: known ones with values that can be right; null leaves the version's own."""
    given: dict[str, Any] = typed(body, field, dict, {})
    parameters = {name: value for name, value in given.items() if value is not None}
    try:
        check_parameters(parameters)
    except InvalidRequest as problem:
        param = f"{field}.{problem.param}"
        raise InvalidRequest(problem.message, code=problem.code, param=param) from None
    return parameters


def _overrides(body: dict[str, Any]) -> dict[str, Any]:
    """`overrides` of the version's parameters; `parameters` is its older name."""
    if body.get("overrides") is None:
        return call_parameters(body)
    if body.get("parameters") is not None:
        raise InvalidRequest("Give overrides or parameters, which are the same.", param="parameters")
    return call_parameters(body, field="overrides")


def _shared(name: str, body: dict[str, Any]) -> dict[str, Any]:
    label = typed(body, "label", str, None)
    return {
        "prompt": reference(name, label or None, fields.number(body, "version")),
        "variables": typed(body, "variables", dict, {}),
        "messages": clean_messages(typed(body, "messages", list, [])),
        "model": typed(body, "model", str, None) or None,
        "parameters": _overrides(body),
        "tools": fields.tools(body),
    }
