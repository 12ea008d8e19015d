"""The content of one message as Anthropic's blocks: text, images, documents, tool calls. Pure."""

import base64
import binascii
from typing import Any, Final

import orjson

from apps.core.chat_content import FILE, IMAGE, TEXT, text_of
from apps.core.errors import InvalidRequest
from apps.core.json_bodies import is_too_deep

PDF: Final = "application/pdf"

Block = dict[str, Any]


def blocks_of(index: int, message: dict[str, Any]) -> list[Block]:
    """A message's blocks in their order; empty texts are left out, because they are refused.

    Raises InvalidRequest, naming the part by the message's `index`.
    """
    if message["role"] == "tool":
        call_id = str(message.get("tool_call_id") or "")
        return [{"type": "tool_result", "tool_use_id": call_id, "content": text_of(message)}]
    blocks = _content_blocks(index, message.get("content"))
    for number, call in enumerate(message.get("tool_calls") or ()):
        blocks.append(_tool_use(call, f"messages.{index}.tool_calls.{number}.function.arguments"))
    return blocks


def _content_blocks(index: int, content: Any) -> list[Block]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    parts = content if isinstance(content, list | tuple) else ()
    found = [_part(part, f"messages.{index}.content.{number}") for number, part in enumerate(parts)]
    return [block for block in found if block is not None]


def _part(part: dict[str, Any], param: str) -> Block | None:
    match part.get("type", TEXT):
        case "text":
            return {"type": "text", "text": part["text"]} if part.get("text") else None
        case "image_url":
            return {"type": "image", "source": _image_source(part[IMAGE]["url"])}
        case "file":
            return _document(part[FILE], param)
    message = "Anthropic takes texts, images and files."
    raise InvalidRequest(message, code="unsupported_content", param=param)


def _image_source(url: str) -> Block:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    media_type, data = _data_url(url)
    return {"type": "base64", "media_type": media_type, "data": data}


def _document(file: dict[str, Any], param: str) -> Block:
    media_type, data = _data_url(file.get("file_data") or "")
    if media_type == PDF:
        source: Block = {"type": "base64", "media_type": PDF, "data": data}
    else:
        source = {"type": "text", "media_type": "text/plain", "data": _text_of_file(data, param)}
    title = {"title": file["filename"]} if file.get("filename") else {}
    return {"type": "document", "source": source, **title}


def _text_of_file(data: str, param: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        message = "Anthropic takes PDF files, and texts in UTF-8."
        raise InvalidRequest(message, code="unsupported_content", param=param) from None


def _data_url(url: str) -> tuple[str, str]:
    head, _, data = url.removeprefix("data:").partition(",")
    return head.partition(";")[0], data


def _tool_use(call: dict[str, Any], param: str) -> Block:
    function = call["function"]
    try:
        given = orjson.loads(function.get("arguments") or "{}")
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict) or is_too_deep(given):
        message = "Anthropic takes a tool call's arguments only as a JSON object."
        raise InvalidRequest(message, code="tool_arguments_invalid", param=param)
    return {"type": "tool_use", "id": call["id"], "name": function["name"], "input": given}
