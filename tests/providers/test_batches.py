"""Batch endpoints of providers: what goes up, what comes back, what is found after a lost answer."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

from apps.audit.actor import SYSTEM
from apps.core.scope import organization_scope
from apps.providers import services
from apps.providers.batches import offers_batches, open_batches
from apps.providers.batches.types import BatchEndpoint, Content, RemoteBatch
from apps.providers.batches.wire import _lines
from apps.providers.price_rules import PriceRule
from apps.providers.pricing import price, published_discount
from apps.providers.trial import CallOutcome, run_test
from apps.providers.types import API, ChatRequest, ChatResult, Connection, ProviderCallError, Usage
from tests.factories import make_connection
from tests.factories.tenants import make_project
from tests.fake_anthropic import FakeAnthropic, fake_anthropic
from tests.fake_batches import FakeBatches
from tests.fake_provider import FakeProvider, fake_provider

__all__ = ["fake_anthropic", "fake_provider"]

NOW = datetime.now(UTC)
OPENAI, ANTHROPIC = "https://api.openai.com/v1", "https://api.anthropic.com"
TEXTS = ("one", "two [expired]", "three [error 400]", "four [error 500]", "five [missing]")


def chat(text: str = "Hello", model: str = "echo") -> ChatRequest:
    return ChatRequest(model, ({"role": "user", "content": text},), {"max_tokens": 9})


def content_of(endpoint: BatchEndpoint, texts: tuple[str, ...]) -> Content:
    lines = [endpoint.line(f"row-{number}", chat(text)) for number, text in enumerate(texts)]
    joined = endpoint.joint.join(lines)
    return Content(io.BytesIO(joined), len(joined))


async def _made(endpoint: BatchEndpoint, texts: tuple[str, ...] = TEXTS) -> RemoteBatch:
    content = content_of(endpoint, texts)
    upload = await endpoint.upload(content, "ours.jsonl")
    return await endpoint.create(upload, content, "pbt_ours", endpoint.kind(chat()))


def with_endpoint(connection: Connection, act: Callable[[BatchEndpoint], Awaitable[None]]) -> None:
    async def run() -> None:
        endpoint = open_batches(connection)
        try:
            await act(endpoint)
        finally:
            await endpoint.close()

    asyncio.run(run())


@pytest.fixture(params=["openai", "anthropic"])
def fake(
    request: pytest.FixtureRequest, fake_provider: FakeProvider, fake_anthropic: FakeAnthropic
) -> tuple[Connection, FakeBatches]:
    """Each of the two providers in turn."""
    api: API = request.param
    used = fake_provider if api == "openai" else fake_anthropic
    request.getfixturevalue("settings").OUTBOUND_ALLOWED_HOSTS = [used.host]
    return Connection("ours", used.base_url, api_key="key", models=("*",), api=api), used.batches


def test_batch__one_of_each_fate__comes_back_by_its_id(fake: tuple[Connection, FakeBatches]) -> None:
    connection, _ = fake

    async def act(endpoint: BatchEndpoint) -> None:
        made = await _made(endpoint)
        ended = await endpoint.get(made.id)
        assert (made.stage, ended.stage) == ("running", "ended")
        lines = {line.custom_id: line async for line in endpoint.lines(ended)}
        fates = {name: line.fate for name, line in lines.items()}
        assert fates == {"row-0": "answered", "row-1": "expired", "row-2": "failed", "row-3": "failed"}
        answer = endpoint.answer(lines["row-0"], chat())
        assert isinstance(answer, ChatResult)
        assert (answer.text, answer.usage.input_tokens, answer.finish_reason) == ("one", 1000, "stop")
        refused, broken = (endpoint.answer(lines[name], chat()) for name in ("row-2", "row-3"))
        assert isinstance(refused, ProviderCallError)
        assert isinstance(broken, ProviderCallError)
        assert (refused.reason, refused.retryable) == ("bad_request", False)
        assert (broken.reason, broken.retryable) == ("server", True)

    with_endpoint(connection, act)


def test_batch__answer_of_its_creation_lost__is_found_again(fake: tuple[Connection, FakeBatches]) -> None:
    connection, store = fake
    store.faults["create"].append("lost")

    async def act(endpoint: BatchEndpoint) -> None:
        with pytest.raises(ProviderCallError) as lost:
            await _made(endpoint)
        assert lost.value.retryable
        found = await endpoint.find("pbt_ours", NOW, len(TEXTS), ())
        assert found is not None
        assert found.id in store.batches
        assert await endpoint.find("pbt_other", NOW, len(TEXTS) + 1, ()) is None

    with_endpoint(connection, act)


def test_batch__found_by_size_but_known__is_not_taken_twice(
    fake_anthropic: FakeAnthropic,
) -> None:
    async def act(endpoint: BatchEndpoint) -> None:
        made = await _made(endpoint)
        assert await endpoint.find("pbt_ours", NOW, len(TEXTS), {made.id}) is None

    with_endpoint(Connection("ours", fake_anthropic.base_url, api="anthropic"), act)


def test_batch__cancelled__gives_what_is_finished(fake: tuple[Connection, FakeBatches]) -> None:
    connection, store = fake
    store.polls, store.cut_after = 99, 1

    async def act(endpoint: BatchEndpoint) -> None:
        made = await _made(endpoint, ("one", "two"))
        await endpoint.cancel(made.id)
        ended = await endpoint.get(made.id)
        found = {line.custom_id: line.fate async for line in endpoint.lines(ended)}
        assert found.pop("row-0") == "answered"
        assert set(found.values()) <= {"cancelled"}
        await endpoint.tidy(ended, "")
        assert store.deleted

    with_endpoint(connection, act)


def test_upload__of_our_name_and_size__is_found(fake_provider: FakeProvider) -> None:
    async def act(endpoint: BatchEndpoint) -> None:
        content = content_of(endpoint, TEXTS)
        upload = await endpoint.upload(content, "ours.jsonl")
        assert await endpoint.find_upload("ours.jsonl", content.size) == upload
        assert await endpoint.find_upload("ours.jsonl", content.size + 1) == ""
        stored = fake_provider.batches.files[upload]["content"]
        assert [orjson.loads(line)["custom_id"] for line in stored.splitlines()][:2] == ["row-0", "row-1"]

    with_endpoint(Connection("ours", fake_provider.base_url), act)


def test_lines__one_without_end__is_passed_over() -> None:
    async def chunks() -> object:
        yield b'{"a":1}\n{"b"'
        for _ in range(40):
            yield b"x" * 256 * 1024
        yield b'\n{"c":3}'

    async def read() -> list[bytes]:
        return [line async for line in _lines(chunks())]  # type: ignore[arg-type]

    assert asyncio.run(read()) == [b'{"a":1}', b'{"c":3}']


def test_price__in_a_batch__is_the_lists_batch_price_or_unknown() -> None:
    usage = Usage(1_000_000, 100_000)
    direct, batch = price(OPENAI, "gpt-4o", usage, NOW), price(OPENAI, "gpt-4o", usage, NOW, None, "batch")
    assert (direct.amount, batch.amount) == (Decimal("3.5"), Decimal("1.75"))
    assert batch.snapshot["processing"] == "batch"
    # Retired, so that the list has no batch price of it: not the direct one then.
    assert price(ANTHROPIC, "claude-opus-4-1", usage, NOW, None, "batch").status == "unknown"
    assert price("http://localhost/v1", "gpt-4o", usage, NOW, None, "batch").status == "unknown"


@pytest.mark.parametrize(
    ("address", "discount", "amount"),
    [(OPENAI, None, Decimal("1.5")), (OPENAI, Decimal(25), Decimal("2.25")), ("http://a/v1", None, None)],
)
def test_price__own_one_in_a_batch__takes_the_discount(
    address: str, discount: Decimal | None, amount: Decimal | None
) -> None:
    rule = PriceRule("prc_1", "a/*", True, Decimal(1), Decimal(2), None, NOW, None, batch_discount=discount)
    found = price(address, "gpt-4o", Usage(1_000_000, 1_000_000), NOW, rule, "batch")
    assert found.amount == amount
    assert published_discount(OPENAI, "gpt-4o") == Decimal(50)


@pytest.mark.django_db
def test_connection__tested__tells_whether_it_has_a_batch_endpoint(fake_provider: FakeProvider) -> None:
    connection = Connection("ours", fake_provider.base_url, models=("echo",))
    assert run_test(connection).offers_batches is True
    fake_provider.batches.faults["list"].extend(["400", "500"])
    assert [run_test(connection).offers_batches for _ in range(2)] == [False, None]


@pytest.mark.django_db
def test_connection__of_openai_itself__has_one_untested_but_not_against_a_test() -> None:
    project = make_project()
    credential = make_connection(project=project, base_url=OPENAI)
    assert offers_batches(credential) is True
    assert offers_batches(make_connection(project=project, base_url="https://llm.example.com/v1")) is None
    with organization_scope(project.organization_id):
        told = CallOutcome(passed=True, message="Fine.", offers_batches=False)
        services.store_test_result(actor=SYSTEM, credential=credential, outcome=told)
    assert offers_batches(credential) is False
