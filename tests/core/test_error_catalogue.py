"""Every code that the source raises is explained, and nothing else is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from apps.core.error_catalogue import CATALOGUE
from apps.core.error_mapping import FIELD_CODES
from apps.core.errors import InvalidRequest
from apps.core.web.views import catalogue_entries
from apps.runs.finishing import FAILURES

ROOT = Path(__file__).resolve().parents[2]
COMPUTED = {
    *("api_key_revoked", "api_key_expired", "too_many_tags", "prompt_names_taken"),
    "import_failed",
    *(code for code, _, _ in FAILURES.values()),
    *FIELD_CODES.values(),
}


def codes_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "code":
            value: ast.expr | None = node.value
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            named = any(isinstance(target, ast.Name) and target.id == "default_code" for target in targets)
            value = node.value if named else None
        else:
            continue
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def raised_codes() -> set[str]:
    found = set(COMPUTED)
    for path in (ROOT / "apps").rglob("*.py"):
        found.update(codes_in(ast.parse(path.read_text())))
    return found


def test_catalogue__codes_of_the_source__are_all_explained_and_none_is_left_over() -> None:
    assert raised_codes() == set(CATALOGUE)


@pytest.mark.django_db
def test_page__anybody__finds_every_code_by_its_anchor(client: Client) -> None:
    page = client.get("/docs/errors").content.decode()
    assert all(f'id="{code}"' in page for code in CATALOGUE)


def test_error__doc_url__points_at_the_page() -> None:
    body = InvalidRequest("No.", code="name_taken").body(None)
    assert body["error"]["doc_url"].endswith("/docs/errors#name_taken")
    assert body["error"]["doc_url"].startswith("http")


def test_catalogue_entries__backquotes__become_code() -> None:
    entry = next(entry for entry in catalogue_entries() if entry["code"] == "label_reserved")
    assert entry["parts"][:2] == [("", False), ("latest", True)]
