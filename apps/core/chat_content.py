"""The content of a chat message: a text, or OpenAI's list of parts (text, image_url, file). Pure.

Whoever reads a message's content goes through here: `message["content"]` may be a string, None or a list.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

TEXT: Final = "text"
IMAGE: Final = "image_url"
FILE: Final = "file"


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message; several text parts stand on lines of their own."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(_texts(content)) if isinstance(content, list | tuple) else ""


def attachments_of(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The parts of a message that are no text: images and files."""
    content = message.get("content")
    if not isinstance(content, list | tuple):
        return []
    return [part for part in content if isinstance(part, Mapping) and part.get("type") != TEXT]


def described(message: Mapping[str, Any]) -> str:
    """The text of a message with a line for each image and file, for people who look at it."""
    lines = [text_of(message), *(f"[{attachment_name(part)}]" for part in attachments_of(message))]
    return "\n".join(line for line in lines if line)


def attachment_name(part: Mapping[str, Any]) -> str:
    """What an image or a file is called: `image/png image`, `image example.com/…`, `file report.pdf`."""
    if part.get("type") == IMAGE:
        url = str((part.get(IMAGE) or {}).get("url", ""))
        if url.startswith("data:"):
            return f"{url[5:40].partition(';')[0]} image"
        return f"image {url.removeprefix('https://')[:80]}"
    return f"file {(part.get(FILE) or {}).get('filename', '')}".strip()


def with_texts(message: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """The message with every text of its content changed; images, files and tool calls stay as they are."""
    content = message.get("content")
    if isinstance(content, str):
        return {**message, "content": change(content)}
    if not isinstance(content, list | tuple):
        return dict(message)
    return {**message, "content": [_with_text(part, change) for part in content]}


def _texts(parts: list[Any] | tuple[Any, ...]) -> Iterator[str]:
    for part in parts:
        text = part.get("text") if isinstance(part, Mapping) else None
        if isinstance(text, str):
            yield text


def _with_text(part: Any, change: Callable[[str], str]) -> Any:
    is_text = isinstance(part, Mapping) and isinstance(part.get("text"), str)
    return {**part, "text": change(part["text"])} if is_text else part
