import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
STATIC = ROOT / "static"
VENDOR_FOLDERS = (STATIC / "vendor", ROOT / "tests/browser/vendor", ROOT / "tests/ground/vendor/keda")
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SHARED_SCRIPTS = ("menus", "copy", "forms", "requests", "dialogs", "palette", "shortcuts", "notices", "table")


def packed(*paths: Path) -> int:
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths)


@pytest.mark.parametrize("folder", VENDOR_FOLDERS, ids=lambda folder: folder.parent.name)
def test_vendor_list__every_file__named_with_its_hash(folder: Path) -> None:
    entries = json.loads((folder / "VENDOR.json").read_text())
    listed = {"VENDOR.json"}
    for entry in entries:
        assert {"name", "version", "licence"} <= entry.keys()
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        listed |= {entry["file"], entry["licence_file"]}
    assert {path.name for path in folder.iterdir()} == listed


def test_shared_scripts__packed__within_30_kilobytes() -> None:
    scripts = [STATIC / "js" / f"{name}.js" for name in SHARED_SCRIPTS]
    assert packed(*scripts, *(STATIC / "vendor").glob("*.js")) <= 30_000


def test_shared_styles__packed__within_20_kilobytes() -> None:
    assert packed(*[STATIC / "css" / f"{name}.css" for name in ("tokens", "components", "shell")]) <= 20_000


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_template__content_policy__nothing_inline(path: Path) -> None:
    source = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|hx-vals=.js:", source)
    assert not re.search(r"hx-trigger=\"[^\"]*\[", source), "trigger filters need eval"


def test_icons__every_name_in_a_template__is_in_the_sprite() -> None:
    symbols = set(re.findall(r'id="i-([\w-]+)"', (STATIC / "icons.svg").read_text()))
    pattern = re.compile(r'{% icon "([\w-]+)"|icon_name="([\w-]+)"|icon="([\w-]+)"')
    used = {
        name for path in TEMPLATES for names in pattern.findall(path.read_text()) for name in names if name
    }
    assert used <= symbols


def test_colours__outside_the_tokens__none_raw() -> None:
    for path in (STATIC / "css").glob("*.css"):
        if path.name != "tokens.css":
            raw = re.findall(r":[^;{}]*#[0-9a-fA-F]{3,8}\b", path.read_text())
            assert not raw, f"{path.name}: {raw}"
