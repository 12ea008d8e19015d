"""Markdown of strangers as HTML that can do nothing: no script, no style, no picture, no address of ours.

A picture from elsewhere would tell its server what the reader reads, so pictures are left out altogether.
"""

from typing import Final

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

# The parser's time grows with the square of some texts: half a second for this many opening brackets.
LONGEST: Final = 32 * 1024
# fmt: off
TAGS: Final = frozenset({
    "a", "b", "blockquote", "br", "code", "dd", "del", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "li", "ol", "p", "pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead",
    "tr", "ul",
})
# fmt: on
ATTRIBUTES: Final = {"a": {"href", "title"}, "ol": {"start"}}

_parser: Final = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 20}).enable(
    ["table", "strikethrough"]
)


def render_markdown(text: str) -> SafeString | None:
    """The text as harmless HTML; None where it is too long to be parsed while somebody waits."""
    if len(text) > LONGEST:
        return None
    tokens = _parser.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            # Below the page's own heading and its sections'.
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    clean = nh3.clean(
        _parser.renderer.render(tokens, _parser.options, {}),
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(clean)  # noqa: S308 - cleaned by an allow-list above
