"""Services name jobs by dotted names, so that rooms need no import upwards; every name must resolve."""

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.utils.module_loading import import_string

ROOT = Path(__file__).resolve().parents[2]
DOTTED = re.compile(r"(apps|promptsaas)(\.[a-z][a-z0-9_]*){2,}(\.[A-Z]\w+)?")


def dotted_names() -> Iterator[str]:
    for folder in ("apps", "promptsaas"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (
                    isinstance(node, ast.Constant)
                    and isinstance(node.value, str)
                    and DOTTED.fullmatch(node.value)
                ):
                    yield node.value


@pytest.mark.parametrize("name", sorted(set(dotted_names())))
def test_dotted_name__in_the_source__resolves(name: str) -> None:
    is_module = name.rpartition(".")[2].islower() and _is_module(name)
    assert is_module or import_string(name) is not None


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
