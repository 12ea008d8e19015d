"""A run's content in the shapes of its page: messages, variables, answer, and what guardrails found there.

Pure. Images are shown only from `data:` addresses: nothing of a stored message makes a browser ask elsewhere.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from apps.core.chat_content import FILE, IMAGE, TEXT, attachment_name
from apps.core.highlighting import Piece, Span, marked_pieces
from apps.core.markdown import render_markdown
from apps.guardrails.words import DONE, hit_words, place_words
from apps.runs.models import Run
from apps.runs.outputs import parse_json
from apps.runs.queries import Content

SHORT_VALUE: Final = 120
LONG_VALUE: Final = 2_000
SHOWN_IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
LARGEST_IMAGE: Final = 256 * 1024
MOST_IMAGES: Final = 4
MOST_HITS: Final = 100

Spans = Mapping[str, Sequence[Span]]


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A stretch of a message: text in pieces, a picture to show, or what is only named."""

    pieces: Sequence[Piece] = ()
    image: str = ""
    name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message as it was sent."""

    element_id: str
    role: str
    parts: Sequence[ShownPart]
    tool_calls: str = ""


@dataclass(frozen=True, slots=True)
class ShownVariable:
    """A variable's name and the beginning of its value, or all of it in pieces where something was found."""

    name: str
    value: str
    pieces: Sequence[Piece] = ()


@dataclass(frozen=True, slots=True)
class ShownHit:
    """What a guardrail found and did, in words."""

    rule: str
    what: str
    place: str
    action: str
    done: str
    score: str


def shown_hits(run: Run) -> list[ShownHit]:
    """What guardrails found in a run."""
    return [
        ShownHit(
            rule=str(hit.get("rule", "")),
            what=hit_words(hit),
            place=place_words(str(hit.get("place", ""))),
            action=str(hit.get("action", "")),
            done=DONE.get(str(hit.get("action", "")), "Seen"),
            score="" if hit.get("score") is None else f"{hit['score']:.2f}",
        )
        for hit in run.guardrail_hits[:MOST_HITS]
    ]


def spans_of(run: Run) -> Spans:
    """Where guardrails found something, by place; what has no place in the stored text is left out."""
    found: dict[str, list[Span]] = {}
    for hit in run.guardrail_hits[:MOST_HITS]:
        start, end = hit.get("start"), hit.get("end")
        if isinstance(start, int) and isinstance(end, int) and end > start:
            name = f"{hit.get('rule', '')}: {DONE.get(str(hit.get('action', '')), 'seen').lower()}"
            found.setdefault(str(hit.get("place", "")), []).append(
                Span(start, end, name, str(hit.get("action", "")))
            )
    return found


def shown_messages(content: Content | None, spans: Spans) -> list[ShownMessage]:
    """The messages as they were sent."""
    sent = content.messages if content else ()
    images = iter(range(MOST_IMAGES))
    return [
        ShownMessage(
            f"message-{index + 1}",
            str(message["role"]),
            list(_parts(message.get("content"), f"messages.{index}", spans, images)),
            pretty(message["tool_calls"]) if message.get("tool_calls") else "",
        )
        for index, message in enumerate(sent)
    ]


def _parts(content: Any, place: str, spans: Spans, images: Iterator[int]) -> Iterator[ShownPart]:
    if isinstance(content, str):
        yield ShownPart(marked_pieces(content, spans.get(place, ())))
    elif isinstance(content, list | tuple):
        for number, part in enumerate(content):
            yield _part(part, f"{place}.content.{number}", spans, images)
    elif content is not None:
        yield ShownPart(marked_pieces(pretty(content), ()))


def _part(part: Any, place: str, spans: Spans, images: Iterator[int]) -> ShownPart:
    kind = part.get("type") if isinstance(part, Mapping) else ""
    if kind == TEXT and isinstance(part.get("text"), str):
        return ShownPart(marked_pieces(part["text"], spans.get(place, ())))
    if kind == IMAGE:
        return _image(part, images)
    if kind == FILE:
        data = str((part.get(FILE) or {}).get("file_data", ""))
        return ShownPart(name=attachment_name(part).removeprefix("file ") or "file", note=_size(data))
    return ShownPart(marked_pieces(pretty(part), ()))


def _image(part: Mapping[str, Any], images: Iterator[int]) -> ShownPart:
    url = str((part.get(IMAGE) or {}).get("url", ""))
    name = attachment_name(part)
    if not url.startswith("data:"):
        return ShownPart(name=name, note="not fetched here")
    kind = url[5:40].partition(";")[0]
    small = kind in SHOWN_IMAGES and len(url) <= LARGEST_IMAGE
    # The last: a picture that is too large must not use up a place.
    if small and next(images, None) is not None:
        return ShownPart(image=url, name=name, note=_size(url))
    return ShownPart(name=name, note=_size(url))


def _size(data: str) -> str:
    """How large a base64 `data:` address is, in bytes."""
    encoded = data.partition(",")[2]
    size = len(encoded) * 3 // 4
    return f"{size / 1024:,.0f} KiB" if size >= 1024 else f"{size} bytes"


def shown_variables(content: Content | None, spans: Spans) -> list[ShownVariable]:
    """The values that the messages were rendered with."""
    values = content.variables if content else {}
    return [_variable(name, value, spans) for name, value in values.items()]


def _variable(name: str, value: Any, spans: Spans) -> ShownVariable:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    short = text if len(text) <= SHORT_VALUE else text[: SHORT_VALUE - 1] + "…"
    here = spans.get(f"variables.{name}", ()) if isinstance(value, str) else ()
    return ShownVariable(name, short, marked_pieces(text[:LONG_VALUE], here) if here else ())


def shown_answer(content: Content | None, spans: Spans, view: str) -> dict[str, Any]:
    """The answer as it is wanted, and the ways it may be shown.

    JSON is the first choice where it is JSON; places that were found are marked in the text.
    """
    text = content.output if content else ""
    found = spans.get("output", ())
    indented = _indented_object(text)
    views = ["text", "markdown", *(["json"] if indented else [])] if text else []
    first = "json" if indented and not found else "text"
    chosen = view if view in views else first
    html = render_markdown(text) if chosen == "markdown" else None
    return {
        "output_view": chosen,
        "output_views": views,
        "output_json": indented,
        "output_html": html,
        "output_too_long": chosen == "markdown" and html is None,
        "output_pieces": marked_pieces(text, found),
        "tool_calls": _tool_calls(content),
    }


def _tool_calls(content: Content | None) -> list[dict[str, str]]:
    return [
        {
            "id": f"tool-call-{number}",
            "name": call["function"]["name"],
            "arguments": _indented(call["function"]["arguments"]),
        }
        for number, call in enumerate(content.tool_calls if content else (), start=1)
    ]


def _indented(text: str) -> str:
    parsed = parse_json(text)
    return text if parsed is None else pretty(parsed)


def _indented_object(text: str) -> str:
    """The text indented, where it is a JSON object or list."""
    parsed = parse_json(text) if text else None
    return pretty(parsed) if isinstance(parsed, dict | list) else ""


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)
