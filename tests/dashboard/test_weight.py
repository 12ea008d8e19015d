"""What a first visit loads: styles, scripts and fonts of each page, packed, together under 60 kB."""

import gzip
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"
LIMIT = 60_000

PAGES = sorted(
    str(path.relative_to(TEMPLATES))
    for path in TEMPLATES.rglob("*.html")
    if "{% extends" in path.read_text() and "admin" not in path.parts
)


@cache
def loaded(template: str) -> frozenset[str]:
    """The styles, scripts and fonts that a template names, with those of all it extends and includes."""
    path = TEMPLATES / template
    if not path.exists():
        return frozenset()
    source = path.read_text()
    named = set(re.findall(r'{% static "([^"]+\.(?:css|js|woff2?))" %}', source))
    for other in re.findall(r'{% (?:extends|include) "([^"#]+)', source):
        named |= loaded(other)
    if "table_foot" in source:
        named |= loaded("components/table_foot.html")
    return frozenset(named)


@cache
def packed(name: str) -> int:
    return len(gzip.compress((STATIC / name).read_bytes(), 9))


@pytest.mark.parametrize("page", PAGES)
def test_page__first_visit__under_60_kilobytes(page: str) -> None:
    files = {name: packed(name) for name in loaded(page)}
    assert sum(files.values()) < LIMIT, files


def test_styles__fonts__are_the_systems() -> None:
    assert not [path for path in STATIC.rglob("*") if path.suffix in {".woff", ".woff2", ".ttf", ".otf"}]
    assert not [path for path in (STATIC / "css").glob("*.css") if "@font-face" in path.read_text()]
