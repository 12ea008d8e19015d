"""What operators read of runs: true counts, and no word of a customer."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from prometheus_client import generate_latest

from apps.core import ids, metrics
from apps.prompts.types import ResolvedPrompt
from apps.providers.naming import listed_names
from apps.providers.pricing import Price
from apps.runs.run_metrics import count_run
from apps.runs.types import PromptReference, RunError, RunRecord
from apps.tenants.models import Project
from tests.factories import make_run_record

OPENAI = "https://api.openai.com/v1"
SECRET_WORDS = ("customer-of-ours", "salary-of-jane", "our-secret-model", "customer-7", "Jane's salary")


def make_record(
    model: str = "customer-of-ours/gpt-4o", label: str = "production", **result: Any
) -> RunRecord:
    project = Project(id=ids.uuid7(), organization_id=ids.uuid7())
    prompt = ResolvedPrompt(
        ids.uuid7(), "Jane's salary", ids.uuid7(), 1, label, "text", (), (), model, {}, None
    )
    record = make_run_record(project=project, model=model, prompt=prompt)
    return replace(
        record,
        address=OPENAI,
        request=replace(record.request, prompt=PromptReference("Jane's salary", label)),
        result=replace(record.result, price=Price("priced", Decimal("0.25")), **result),
    )


def value(name: str, **labels: str) -> float:
    return metrics.counted().get_sample_value(name, labels) or 0.0


def series(record: RunRecord, label: str = "production", status: str = "succeeded") -> float:
    assert record.prompt is not None
    assert record.prompt.prompt_id is not None
    prompt = ids.encode("prm", record.prompt.prompt_id)
    return value("promptsaas_runs_total", prompt=prompt, label=label, status=status)


LISTED = {"gen_ai_provider_name": "openai", "gen_ai_request_model": "gpt-4o"}
CALL = LISTED | {"gen_ai_operation_name": "chat"}


def test_count_run__answered__counts_time_tokens_and_money() -> None:
    cost = value("promptsaas_run_cost_usd_total", **LISTED)
    calls = value("gen_ai_client_operation_duration_seconds_count", **CALL, error_type="")
    given = value("gen_ai_client_token_usage_sum", **CALL, gen_ai_token_type="input")
    record = make_record()
    count_run(record)
    count_run(record)
    assert series(record) == 2
    assert value("promptsaas_run_cost_usd_total", **LISTED) == cost + 0.5
    assert value("gen_ai_client_operation_duration_seconds_count", **CALL, error_type="") == calls + 2
    assert value("gen_ai_client_token_usage_sum", **CALL, gen_ai_token_type="input") == given + 24


def test_count_run__failed_at_an_unknown_price__is_told_apart() -> None:
    error = RunError("provider_timeout", "provider_error", "It took too long.")
    record = make_record(status="failed", error=error)
    record = replace(record, result=replace(record.result, price=Price("unknown", None)))
    unpriced = value("promptsaas_unpriced_runs_total", **LISTED)
    cost = value("promptsaas_run_cost_usd_total", **LISTED)
    count_run(record)
    assert series(record, status="failed") == 1
    assert value("promptsaas_unpriced_runs_total", **LISTED) == unpriced + 1
    assert value("promptsaas_run_cost_usd_total", **LISTED) == cost
    labels = CALL | {"error_type": "provider_timeout"}
    assert value("gen_ai_client_operation_duration_seconds_count", **labels) >= 1


def test_count_run__sandbox_and_cache__are_no_calls_of_a_model() -> None:
    name = "gen_ai_client_operation_duration_seconds_count"
    calls = value(name, **CALL, error_type="")
    sandbox, cached = make_record("sandbox/standard"), make_record(cached_from=ids.uuid7())
    told = value("promptsaas_sandbox_runs_total", status="succeeded")
    count_run(sandbox)
    count_run(cached)
    assert (series(sandbox), series(cached)) == (0, 1)
    assert value("promptsaas_sandbox_runs_total", status="succeeded") == told + 1
    assert value(name, **CALL, error_type="") == calls


def test_count_run__customers_words__are_nowhere_in_what_is_told() -> None:
    record = make_record("customer-of-ours/our-secret-model", label="salary-of-jane")
    count_run(replace(record, address="https://models.customer-of-ours.example/v1"))
    count_run(record)
    assert series(record, label="other") == 2
    told = generate_latest(metrics.counted()).decode()
    assert [word for word in SECRET_WORDS if word in told] == []


@pytest.mark.parametrize(
    ("kind", "model", "names"),
    [
        (OPENAI, "gpt-4o", ("openai", "gpt-4o")),
        (OPENAI, "our-secret-model", ("openai", "other")),
        ("https://api.anthropic.com", "claude-sonnet-4-5", ("anthropic", "claude-sonnet-4-5")),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "no", ("gcp.gemini", "other")),
        ("https://10.0.0.1:8000/v1", "gpt-4o", ("other", "other")),
    ],
)
def test_listed_names__only_the_price_lists_names__are_told(
    kind: str, model: str, names: tuple[str, str]
) -> None:
    assert listed_names(kind, model) == names
