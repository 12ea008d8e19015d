"""Markdown of strangers."""

import pytest

from apps.core.markdown import LONGEST, render_markdown


def test_markdown__ordinary_text__is_marked_up() -> None:
    html = render_markdown("# Title\n\n* one\n* **two**\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert html is not None
    for part in ("<h3>Title</h3>", "<li>one</li>", "<strong>two</strong>", "<td>2</td>"):
        assert part in html


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://evil.example/a.png?q=secret)",
        "[x](javascript:alert(1))",
        "[x](data:text/html;base64,AAAA)",
        "[x](//evil.example)",
        "[x](/acme/default/settings/keys/)",
        '<a href="https://x" onclick="y" style="position:fixed">z</a>',
        "<iframe src=https://evil.example></iframe>",
        "<style>*{display:none}</style>",
        "<svg/onload=alert(1)>",
    ],
)
def test_markdown__hostile_text__can_do_nothing(hostile: str) -> None:
    html = str(render_markdown(hostile))
    for part in (
        "<script",
        "<img",
        "<iframe",
        "<style",
        "<svg",
        'href="javascript',
        'href="data',
        'href="/',
        "<a ",
    ):
        if part == "<a " and "](" in hostile:
            assert "href=" not in html
            continue
        assert part not in html


def test_markdown__link__is_not_followed() -> None:
    assert render_markdown("[a](https://example.com)") == (
        '<p><a href="https://example.com" rel="noopener noreferrer nofollow">a</a></p>\n'
    )


@pytest.mark.parametrize(
    "text", ["[" * LONGEST, "*a_ " * (LONGEST // 4), "> " * (LONGEST // 2), "`" * LONGEST, "|" * LONGEST]
)
def test_markdown__pathological_text__ends_soon(text: str) -> None:
    assert render_markdown(text) is not None


def test_markdown__too_long__is_left_as_text() -> None:
    assert render_markdown("a" * (LONGEST + 1)) is None
