import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from apps.batches.models import BatchJob, JobStatus
from apps.core.scope import organization_scope
from apps.datasets.mapping import check
from apps.prompts import queries as prompt_queries
from apps.prompts.types import PRODUCTION
from promptsaas.demo import terminal
from promptsaas.demo.columns import choose_columns, column_mapping
from promptsaas.demo.job import Answers
from promptsaas.demo.model_choice import offer_model
from promptsaas.demo.options import SAMPLE, DemoError, DemoOptions
from promptsaas.demo.seeding import seed
from promptsaas.demo.starter_prompts import STARTER_PROMPTS

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ("id", "title", "review", "category", "sentiment")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def make_job(**values: object) -> BatchJob:
    facts: dict[str, object] = {
        "total": 4,
        "succeeded": 3,
        "failed": 1,
        "matched": 2,
        "compared": 3,
        "input_tokens": 1200,
        "output_tokens": 80,
        "cost_used": Decimal("0.5"),
        "sandbox": True,
        "status": JobStatus.COMPLETED,
        "created_at": NOW,
        "completed_at": NOW + timedelta(seconds=2),
    }
    return BatchJob(**facts | values)


def test_choose_columns__named_by_the_user__is_taken_whatever_the_case() -> None:
    choice = choose_columns(COLUMNS, [], variable="text", column="Title", expected="SENTIMENT")
    assert (choice.column, choice.expected, choice.column_reason) == ("title", "sentiment", "")


@pytest.mark.parametrize("option", ["column", "expected"])
def test_choose_columns__unknown_name__is_refused_with_the_columns(option: str) -> None:
    named = {"column": "", "expected": ""} | {option: "stars"}
    with pytest.raises(DemoError, match=rf"{option.upper()}.*'stars'.*id, title, review"):
        choose_columns(COLUMNS, [], variable="text", **named)


@pytest.mark.parametrize(
    ("columns", "variable", "wanted"),
    [
        (COLUMNS, "Title", "title"),
        (COLUMNS, "article", "review"),
        (("id", "words", "stars"), "article", "words"),
    ],
)
def test_choose_columns__nothing_named__guesses_and_says_why(
    columns: tuple[str, ...], variable: str, wanted: str
) -> None:
    samples = [{"id": "1", "words": "a long text", "stars": "5"}]
    choice = choose_columns(columns, samples, variable=variable, column="", expected="")
    assert choice.column == wanted
    assert choice.column_reason
    assert choice.expected == ""


def test_choose_columns__expected_column__is_never_the_text() -> None:
    choice = choose_columns(("text", "body"), [], variable="text", column="", expected="text")
    assert choice.column == "body"


def test_column_mapping__chosen_columns__rest_is_metadata() -> None:
    choice = choose_columns(COLUMNS, [], variable="text", column="review", expected="")
    mapping = {item.column: item for item in column_mapping(COLUMNS, [], choice, ["text", "title"])}
    check(list(mapping.values()), COLUMNS)
    assert (mapping["review"].role, mapping["review"].name) == ("variable", "text")
    assert (mapping["title"].role, mapping["title"].name) == ("variable", "title")
    assert {mapping[name].role for name in ("id", "category", "sentiment")} == {"metadata"}


def test_column_mapping__other_column_named_like_the_variable__gives_way() -> None:
    columns = ("text", "summary")
    choice = choose_columns(columns, [], variable="text", column="summary", expected="")
    mapping = column_mapping(columns, [], choice, ["text"])
    check(mapping, columns)
    assert [item.role for item in mapping] == ["metadata", "variable"]


def test_options__missing_file__is_said() -> None:
    with pytest.raises(DemoError, match="there is no file"):
        _ = DemoOptions(input_file="/nowhere.csv").path


def test_options__empty_file__is_said(tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.touch()
    with pytest.raises(DemoError, match="is empty"):
        _ = DemoOptions(input_file=str(file)).path


def test_sample__has_enough_rows_of_every_sentiment() -> None:
    lines = SAMPLE.read_text().splitlines()
    assert len(lines) > 300
    for word in ("Positive", "Negative", "Neutral"):
        assert sum(line.endswith(f",{word}") for line in lines) >= 50


def test_progress_text__half_way__shows_rate_and_time_left() -> None:
    job = make_job(succeeded=1, failed=1, status=JobStatus.IN_PROGRESS, completed_at=None)
    text = terminal.progress_text(job, NOW + timedelta(seconds=2))
    assert "2/4 rows" in text
    assert "50 %" in text
    assert "1 rows/s" in text
    assert "1 failed" in text
    assert "left" in text


def test_progress__no_terminal__writes_whole_lines() -> None:
    output = io.StringIO()
    progress = terminal.Progress(output)
    progress.show(make_job())
    assert output.getvalue().endswith("\n")
    assert "\r" not in output.getvalue()


def test_describe_end__sandbox_money__is_called_so() -> None:
    answers = Answers("sentiment", (("Positive", 3),), (("timeout", 1),))
    text = "\n".join(terminal.describe_end(make_job(), answers)).replace("\xa0", " ")
    assert "sandbox money" in text
    assert "67 %" in text
    assert "timeout" in text


def test_cost_text__unknown_price__is_not_zero() -> None:
    assert "3 rows whose price is unknown" in terminal.cost_text(make_job(sandbox=False, cost_unknown=3))


@pytest.mark.parametrize(("compared", "expected"), [(3, 0.6667), (0, None)])
def test_json_line__with_and_without_expected(compared: int, expected: float | None) -> None:
    line = json.loads(terminal.json_line(make_job(compared=compared)))
    assert line == {"rows": 4, "succeeded": 3, "failed": 1, "agreement": expected, "seconds": 2.0}


@pytest.mark.django_db(transaction=True)
def test_seed__twice__makes_everything_once() -> None:
    first, second = seed("a password"), seed("a password")
    assert first.project == second.project
    assert first.password == "a password"
    with organization_scope(first.organization.id):
        prompts = list(prompt_queries.list_prompts(first.project))
        assert {prompt.name for prompt in prompts} == {starter.name for starter in STARTER_PROMPTS}
        for starter in STARTER_PROMPTS:
            prompt = prompt_queries.find_prompt(first.project, starter.name)
            assert prompt_queries.version_at(prompt, label=PRODUCTION).number == len(starter.versions)


@pytest.mark.django_db(transaction=True)
def test_seed__password_changed__is_not_shown() -> None:
    seeded = seed("a password")
    seeded.user.set_password("another")
    seeded.user.save(update_fields=["password"])
    assert seed("a password").password == ""


@pytest.mark.django_db(transaction=True)
def test_offer_model__key_but_nobody_to_ask__spends_nothing(settings: Settings) -> None:
    settings.OPENAI_API_KEY = "sk-for-a-test"
    seeded = seed("a password")
    assert offer_model(seeded, DemoOptions(once=True)) == ""
    assert offer_model(seeded, DemoOptions(model="openai/gpt-4.1-mini")) == "openai/gpt-4.1-mini"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_demo__once__ends_with_the_line_of_json(tmp_path: Path) -> None:
    source = tmp_path / "mine.csv"
    source.write_text("nr,comment,mood\n1,I love it,positive\n2,Terrible and broken,negative\n3,,negative\n")
    arguments = [f"--input={source}", "--expected=mood", f"--logs={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--once", *arguments],
        cwd=ROOT,
        env=os.environ | {"OPENAI_API_KEY": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    line = json.loads(done.stdout.splitlines()[-1])
    assert line["rows"] == line["succeeded"] + line["failed"] == 3
    assert line["agreement"] is not None
    assert "comment (guessed: the usual name of such a column)" in done.stdout
    assert "sandbox money" in done.stdout
