"""Checks with the official openai client for Python, sync and async. Each raises where something is wrong."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import openai
import pydantic

from bench.compatibility.places import MODELS, PROMPT, Models, Place

Check = tuple[str, Callable[[], Any]]
PIXEL: Final = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 24).decode()
PDF: Final = "data:application/pdf;base64," + base64.b64encode(b"%PDF-1.7\n").decode()
PARAMETERS: Final = {
    "type": "object",
    "properties": {"place": {"type": "string"}},
    "required": ["place"],
    "additionalProperties": False,
}
TOOL: Final[Any] = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
FLAT_TOOL: Final[Any] = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": True}
ASKED: Final[Any] = [{"role": "user", "content": "How is the weather in Oslo?"}]


def form(models: Models) -> type[pydantic.BaseModel]:
    """What a structured answer has to be."""
    fields: Any = {models.field: (str, ...)}
    return pydantic.create_model("Named", **fields)


def checks(place: Place) -> Iterator[Check]:
    """Every check by its name."""
    client = openai.OpenAI(base_url=f"{place.url}/v1", api_key=place.token, max_retries=0, timeout=30)
    for models in MODELS:
        yield from _chat(client, models)
        yield from _responses(client, models)
        yield f"async, {models.name}", _asynchronous(place, models)
    yield from _prompts(client)
    yield from _parts(client)
    yield from _errors(place, client)
    yield "embeddings, base64 and float", lambda: _embeddings(client)
    yield "models", lambda: _models(client)
    yield "raw responses and headers", lambda: _raw(client)


def _chat(client: openai.OpenAI, models: Models) -> Iterator[Check]:
    create: Any = client.chat.completions.create
    required: Any = {"tools": [TOOL], "tool_choice": "required"}

    def whole() -> None:
        answer = create(model=models.talks, messages=ASKED)
        assert answer.choices[0].message.content
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.total_tokens > 0

    def stream() -> None:
        chunks = list(
            create(model=models.talks, messages=ASKED, stream=True, stream_options={"include_usage": True})
        )
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert chunks[-1].usage.total_tokens > 0

    def tools() -> None:
        message = create(model=models.calls, messages=ASKED, **required).choices[0].message
        told = [
            {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"} for call in message.tool_calls
        ]
        talk = [*ASKED, message.model_dump(exclude_none=True), *told, *ASKED]
        assert create(model=models.talks, messages=talk, tools=[TOOL]).choices[0].message.content

    def stream_tools() -> None:
        with client.chat.completions.stream(model=models.calls, messages=ASKED, **required) as events:
            message = events.get_final_completion().choices[0].message
        assert message.tool_calls is not None
        assert message.tool_calls[0].function.name == "weather"

    def schema() -> None:
        wanted = form(models)
        answer = client.chat.completions.parse(model=models.fills, messages=ASKED, response_format=wanted)
        assert isinstance(answer.choices[0].message.parsed, wanted)

    yield f"chat, whole, {models.name}", whole
    yield f"chat, stream, {models.name}", stream
    yield f"chat, tools, {models.name}", tools
    yield f"chat, streamed tools, {models.name}", stream_tools
    yield f"chat, parse (JSON schema), {models.name}", schema


def _responses(client: openai.OpenAI, models: Models) -> Iterator[Check]:
    create: Any = client.responses.create
    required: Any = {"tools": [FLAT_TOOL], "tool_choice": "required"}

    def whole() -> None:
        answer = create(model=models.talks, input="Hello", instructions="Be brief.", metadata={"a": "b"})
        assert answer.status == "completed"
        assert answer.output_text
        assert answer.usage.total_tokens > 0
        assert client.responses.retrieve(answer.id).output_text == answer.output_text

    def stream() -> None:
        events = list(create(model=models.talks, input="Hello", stream=True))
        assert [event.sequence_number for event in events] == list(range(len(events)))
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert events[0].type == "response.created"
        assert events[-1].type == "response.completed"
        assert events[-1].response.output_text == text

    def tools() -> None:
        answer = create(model=models.calls, input=ASKED, **required)
        calls = [item for item in answer.output if item.type == "function_call"]
        told = [
            {"type": "function_call_output", "call_id": call.call_id, "output": "12 degrees"}
            for call in calls
        ]
        talk = [*ASKED, *[item.model_dump(exclude_none=True) for item in answer.output], *told, *ASKED]
        assert create(model=models.talks, input=talk, tools=[FLAT_TOOL]).output_text

    def stream_tools() -> None:
        with client.responses.stream(model=models.calls, input=ASKED, **required) as events:
            kinds = [event.type for event in events]
            answer = events.get_final_response()
        assert "response.function_call_arguments.done" in kinds
        assert any(item.type == "function_call" and item.name == "weather" for item in answer.output)

    def schema() -> None:
        wanted = form(models)
        answer = client.responses.parse(model=models.fills, input="Name one.", text_format=wanted)
        assert isinstance(answer.output_parsed, wanted)

    yield f"responses, whole and retrieved, {models.name}", whole
    yield f"responses, stream, {models.name}", stream
    yield f"responses, tools, {models.name}", tools
    yield f"responses, streamed tools, {models.name}", stream_tools
    yield f"responses, parse (JSON schema), {models.name}", schema


def _asynchronous(place: Place, models: Models) -> Callable[[], None]:
    async def both() -> None:
        async with openai.AsyncOpenAI(base_url=f"{place.url}/v1", api_key=place.token) as client:
            answer = await client.chat.completions.create(model=models.talks, messages=ASKED)
            assert answer.choices[0].message.content
            chunks = await client.chat.completions.create(model=models.talks, messages=ASKED, stream=True)
            assert [chunk async for chunk in chunks]
            async with client.responses.stream(model=models.talks, input="Hello") as events:
                assert (await events.get_final_response()).output_text

    return lambda: asyncio.run(both())


def _prompts(client: openai.OpenAI) -> Iterator[Check]:
    variables: Any = {"variables": {"name": "Ada"}}

    def by_model() -> None:
        for name in (f"prompt:{PROMPT}", f"prompt:{PROMPT}@production", f"prompt:{PROMPT}#1"):
            answer = client.chat.completions.create(model=name, messages=[], extra_body=variables)
            assert answer.choices[0].message.content

    def by_prompt() -> None:
        answer = client.responses.create(prompt={"id": PROMPT, "version": "1", "variables": {"name": "Ada"}})
        assert answer.output_text
        assert answer.model_extra is not None
        assert answer.model_extra["promptsaas"]["version"] == 1

    yield "chat, a prompt as model", by_model
    yield "responses, a prompt with version and variables", by_prompt


def _parts(client: openai.OpenAI) -> Iterator[Check]:
    def chat(model: str) -> Callable[[], None]:
        content: Any = [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": PIXEL}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
        ]
        messages: Any = [{"role": "user", "content": content}]
        create: Any = client.chat.completions.create
        return lambda: _demand(create(model=model, messages=messages).choices[0].message.content)

    def responses(model: str) -> Callable[[], None]:
        content: Any = [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": PIXEL, "detail": "low"},
            {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
        ]
        create: Any = client.responses.create
        asked: Any = [{"role": "user", "content": content}]
        return lambda: _demand(create(model=model, input=asked).output_text)

    for models in MODELS:
        yield f"chat, image and file, {models.name}", chat(models.talks)
        yield f"responses, image and file, {models.name}", responses(models.talks)


def _errors(place: Place, client: openai.OpenAI) -> Iterator[Check]:
    def raises(kind: type[openai.APIStatusError], **body: Any) -> Callable[[], None]:
        def check() -> None:
            create: Any = client.chat.completions.create
            error = _raised(kind, lambda: create(**{"model": "sandbox/standard", "messages": ASKED, **body}))
            assert error.code
            assert error.request_id

        return check

    def stranger() -> None:
        other = openai.OpenAI(base_url=f"{place.url}/v1", api_key="psk_nothing", max_retries=0)
        assert _raised(openai.AuthenticationError, other.models.list).type == "authentication_error"

    def reused_key() -> None:
        create: Any = client.chat.completions.create
        headers = {"Idempotency-Key": "compatibility"}
        create(model="sandbox/fast", messages=ASKED, extra_headers=headers)
        again = partial(create, model="sandbox/standard", messages=ASKED, extra_headers=headers)
        assert _raised(openai.ConflictError, again).type == "idempotency_error"

    unfit = {"type": "json_schema", "json_schema": {"name": "Named", "schema": PARAMETERS}}
    yield "errors: 401 AuthenticationError", stranger
    yield "errors: 409 ConflictError", reused_key
    yield (
        "errors: 422 UnprocessableEntityError",
        raises(openai.UnprocessableEntityError, model="local/echo", response_format=unfit),
    )
    yield "errors: 400 BadRequestError", raises(openai.BadRequestError, temperature=7)
    yield "errors: 404 NotFoundError", raises(openai.NotFoundError, model="prompt:nothing")
    yield "errors: 429 RateLimitError", raises(openai.RateLimitError, model="faulty/rate-limited")
    yield "errors: 5xx InternalServerError", raises(openai.InternalServerError, model="faulty/broken")


def _raised(kind: type[openai.APIStatusError], call: Callable[[], Any]) -> openai.APIStatusError:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("nothing was raised")


def _embeddings(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model="sandbox/embedding", input=["one", "two"], dimensions=32)
    plain = client.embeddings.create(
        model="sandbox/embedding", input=["one", "two"], dimensions=32, encoding_format="float"
    )
    assert [len(each.embedding) for each in packed.data] == [32, 32]
    pairs = zip(packed.data[1].embedding, plain.data[1].embedding, strict=True)
    assert all(abs(left - right) < 1e-6 for left, right in pairs)
    assert packed.usage.total_tokens > 0


def _models(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert f"prompt:{PROMPT}@production" in names
    assert client.models.retrieve("sandbox/standard").id == "sandbox/standard"


def _raw(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="sandbox/standard", messages=ASKED)
    assert raw.headers["x-request-id"]
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert int(raw.headers["x-ratelimit-remaining-requests"]) > 0
    assert raw.parse()._request_id == raw.headers["x-request-id"]


def _demand(text: str | None) -> None:
    assert text
