"""From what is asked to a run that is ready to be called: resolve, guard the input, render, open the target.

Nothing is spent here, and nothing is held.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from apps.billing.allowance import AllowanceBook
from apps.core.errors import InvalidRequest
from apps.guardrails.guard import Guard
from apps.guardrails.policy import OFF, GuardPolicy
from apps.prompts.rendering import render as render_messages
from apps.prompts.serving import ServingRules
from apps.prompts.types import ResolvedPrompt
from apps.providers.types import ChatRequest
from apps.runs import guarding
from apps.runs.answers import Answers
from apps.runs.calling import RetryPolicy
from apps.runs.inputs import check_request, check_tool_choice, merged_parameters
from apps.runs.limiting import RunLimits
from apps.runs.output_checks import check_size
from apps.runs.response_formats import expected_schema
from apps.runs.types import (
    ContentRules,
    DataKeys,
    InlinePrompt,
    OutputCheck,
    PreparedRun,
    PromptSource,
    Recorder,
    RunRequest,
    TargetSource,
)

Prompt = ResolvedPrompt | InlinePrompt


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What an engine is given. `output_checks` look at every answer, and the first that refuses decides.

    Without `answers` nothing is cached, without `contents` every run's content is stored unless the request
    says otherwise.
    """

    prompts: PromptSource
    targets: TargetSource
    allowance: AllowanceBook
    recorder: Recorder
    data_keys: DataKeys
    answers: Answers | None = None
    contents: ContentRules | None = None
    limits: RunLimits | None = None
    output_checks: tuple[OutputCheck, ...] = (check_size,)
    retries: RetryPolicy = field(default_factory=RetryPolicy)


class Rendered(NamedTuple):
    """What a run would ask; `request` is as it may be stored."""

    request: RunRequest
    prompt: Prompt | None
    chat: ChatRequest
    rules: ServingRules
    guard: Guard | None


async def prepare(dependencies: Dependencies, request: RunRequest) -> PreparedRun:
    """Everything that comes before a run is spent on. Raises core errors for what is refused."""
    request, prompt, asked, rules, guard = await rendered(dependencies, request)
    if not asked.model:
        raise InvalidRequest("No model was named.", code="model_missing", param="model")
    target = await dependencies.targets.open(request, asked.model)
    chat = ChatRequest(
        target.model,
        asked.messages,
        asked.parameters,
        asked.output_schema,
        asked.timeout_seconds,
        asked.tools,
    )
    target.provider.check(chat)
    request = await as_stored(dependencies.contents, request)
    return PreparedRun(request, prompt, target, chat, datetime.now(UTC), rules, guard)


async def rendered(dependencies: Dependencies, request: RunRequest) -> Rendered:
    """What a run would ask; the model is still the reference, empty if none is named. Raises core errors."""
    check_request(request)
    prompt: ResolvedPrompt | InlinePrompt | None = request.inline
    if request.prompt is not None:
        prompt = await dependencies.prompts.resolve(request, request.prompt)
    tools = request.tools if request.tools is not None else prompt.tools if prompt else ()
    check_tool_choice(request.overrides, tools)
    rules = prompt.serving if prompt else await dependencies.prompts.rules(request)
    model = request.model or (prompt.model if prompt else "")
    guard: Guard | None = None
    if rules.guardrails is OFF:
        messages = _messages(request, prompt)
    else:
        _check_messages(request, prompt)
        request, messages, guard = await _guarded(
            dependencies.data_keys, rules.guardrails, request, prompt, model
        )
    chat = ChatRequest(
        model=model,
        messages=messages,
        parameters=merged_parameters(prompt.parameters if prompt else {}, request.overrides),
        output_schema=expected_schema(request.overrides, prompt.output_schema if prompt else None),
        timeout_seconds=request.timeout_seconds,
        tools=tools,
    )
    return Rendered(request, prompt, chat, rules, guard)


async def as_stored(contents: ContentRules | None, request: RunRequest) -> RunRequest:
    """The request with what the project says now of storing content; it only ever takes away."""
    if contents is None or not request.record_payload or await contents.stores(request):
        return request
    return replace(request, record_payload=False)


async def _guarded(
    keys: DataKeys, policy: GuardPolicy, request: RunRequest, prompt: Prompt | None, model: str
) -> guarding.GuardedInput:
    """Render with everything from outside checked; marks depend on the organization's key."""
    secret = b""
    if policy.canary or policy.spotlight:
        known = keys.known(request.organization_id)
        secret = known if known is not None else await keys.get(request.organization_id)
    return await guarding.guard_input(policy, request, prompt, model, secret)


def _messages(request: RunRequest, prompt: Prompt | None) -> tuple[dict[str, Any], ...]:
    _check_messages(request, prompt)
    if prompt is None:
        return request.messages
    messages = render_messages(prompt.messages, prompt.variables, dict(request.variables))
    return (*messages, *request.messages)


def _check_messages(request: RunRequest, prompt: Prompt | None) -> None:
    if prompt is None and not request.messages:
        raise InvalidRequest("At least one message is needed.", code="messages_missing", param="messages")
