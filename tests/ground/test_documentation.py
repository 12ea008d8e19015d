"""What the documentation promises, as far as a machine can tell."""

import re
from pathlib import Path

import pytest

from apps.core.api_version import API_VERSION
from apps.core.error_catalogue import CATALOGUE
from apps.core.expanding import PARAMETER
from apps.core.ids import PREFIXES

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SELF_HOSTING = (ROOT / "docs/self-hosting.md").read_text()
API = (ROOT / "docs/api.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_documentation__every_link_inside__leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    inside = [target for target in targets if not target.startswith(("http:", "https:", "mailto:"))]
    assert [target for target in inside if not (page.parent / target).exists()] == []


def test_documentation__every_setting_of_the_environment__is_described() -> None:
    settings = (ROOT / "promptsaas/settings.py").read_text()
    names = set(re.findall(r'environment\.\w+\(\s*"([A-Z_]+)"', settings))
    assert len(names) > 10
    assert sorted(name for name in names if f"`{name}`" not in SELF_HOSTING) == []


def test_documentation__every_variable_of_compose__is_described() -> None:
    named = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    example = (ROOT / ".env.example").read_text()
    assert sorted(name for name in named if f"{name}=" not in example) == []


def test_documentation__what_the_api_page_names__exists() -> None:
    assert API_VERSION in API
    assert PARAMETER in API
    assert set(re.findall(r"`([a-z]{3})_`", API)) <= set(PREFIXES)
    assert set(re.findall(r"`409 ([a-z_]+)`", API)) <= set(CATALOGUE)
