"""Plain data that other rooms and processes hold of a prompt; free of Django."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

from apps.prompts.serving import DEFAULT, ServingRules

Kind = Literal["text", "chat"]
Role = Literal["system", "developer", "user", "assistant"]
ROLES: Final[tuple[Role, ...]] = ("system", "developer", "user", "assistant")
PRODUCTION: Final = "production"
LATEST: Final = "latest"


@dataclass(frozen=True, slots=True)
class VersionContent:
    """What a version holds, as JSON data.

    `messages` is ``{"role", "content"}`` each, `variables`
    ``{"name", "type", "required", "default"?, "sample"?}`` each; `model` is ``<connection>/<model id>`` or
    empty when the caller names it; `tools` has OpenAI's form. A sample serves previews and first calls only.
    """

    messages: tuple[dict[str, Any], ...]
    variables: tuple[dict[str, Any], ...] = ()
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    output_schema: dict[str, Any] | None = None
    tools: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class ResolvedPrompt:
    """A prompt at one version, ready to render and run. `label` is what it was asked for by, if anything.

    `serving` is how it is served, which its versions don't say.
    """

    prompt_id: UUID
    name: str
    version_id: UUID
    number: int
    label: str | None
    kind: str
    messages: tuple[dict[str, Any], ...]
    variables: tuple[dict[str, Any], ...]
    model: str
    parameters: dict[str, Any]
    output_schema: dict[str, Any] | None
    tools: tuple[dict[str, Any], ...] = ()
    serving: ServingRules = DEFAULT
