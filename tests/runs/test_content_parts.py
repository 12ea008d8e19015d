"""Images and files in messages: what is taken, in which form, and what is refused by name."""

import base64
from typing import Any

import orjson
import pytest

from apps.core.chat_content import attachments_of, described, text_of, with_texts
from apps.core.errors import InvalidRequest
from apps.providers import tokens
from apps.runs.content_parts import MOST_ATTACHMENTS
from apps.runs.conversation import clean_messages

PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 20).decode()
PDF = base64.b64encode(b"%PDF-1.7 hello").decode()


def image(url: Any, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**values: Any) -> dict[str, Any]:
    return {"type": "file", "file": values}


def message(*parts: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": list(parts)}


def test_messages__with_text_parts_only__become_one_text() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert clean_messages([message(*parts)]) == ({"role": "user", "content": "ab"},)


def test_messages__with_images_and_files__keep_their_parts_in_one_form() -> None:
    text = {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}}
    [cleaned] = clean_messages(
        [
            message(
                text, image("https://example.com/a.png", detail="low"), file(file_data=PDF, filename="a.pdf")
            )
        ]
    )
    assert cleaned["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
    ]
    assert text_of(cleaned) == "What is this?"
    assert described(cleaned) == "What is this?\n[image example.com/a.png]\n[file a.pdf]"
    assert with_texts(cleaned, str.upper)["content"][0]["text"] == "WHAT IS THIS?"
    assert len(attachments_of(cleaned)) == 2
    assert tokens.count_attachments(cleaned) == tokens.LOW_IMAGE_TOKENS + tokens.PDF_TOKENS


def test_messages__that_were_checked__are_not_looked_at_again() -> None:
    cleaned = clean_messages([message(image(PNG))])
    assert clean_messages(cleaned)[0]["content"] is cleaned[0]["content"]
    assert orjson.loads(orjson.dumps(cleaned)) == list(cleaned)


@pytest.mark.parametrize(
    ("part", "code", "param"),
    [
        (image("http://example.com/a.png"), "attachment_invalid", "image_url"),
        (image("file:///etc/passwd"), "attachment_invalid", "image_url"),
        (image("https://"), "attachment_invalid", "image_url"),
        (image("https://user:word@example.com/a"), "attachment_invalid", "image_url"),
        (image("https://example.com/" + "a" * 9_000), "attachment_invalid", "image_url"),
        (image(7), "attachment_invalid", "image_url"),
        (image(PNG, detail="huge"), "invalid_request", "image_url.detail"),
        (image("data:image/svg+xml;base64,AAAA"), "attachment_unsupported", "image_url"),
        (image("data:image/png,raw"), "attachment_invalid", "image_url"),
        (image("data:image/png;base64,%%%"), "attachment_invalid", "image_url"),
        (image("data:image/png;base64,AAAA"), "attachment_invalid", "image_url"),
        (image("data:" + "a" * 500), "attachment_invalid", "image_url"),
        (file(file_id="file-1"), "unsupported_parameter", "file.file_id"),
        (file(file_data=PDF), "attachment_invalid", "file.filename"),
        (file(file_data=PDF, filename="a\n.pdf"), "invalid_request", "file.filename"),
        (file(file_data=PDF, filename="a.exe"), "attachment_invalid", "file.filename"),
        (file(filename="a.pdf"), "attachment_invalid", "file.file_data"),
        (file(file_data=PNG), "attachment_unsupported", "file.file_data"),
        ({"type": "input_audio", "input_audio": {}}, "unsupported_content", ""),
        ({"type": ["text"]}, "unsupported_content", ""),
        ("text", "unsupported_content", ""),
    ],
)
def test_part__that_cannot_be_sent__is_refused_by_name(part: Any, code: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        clean_messages([message(part)])
    assert refused.value.code == code
    assert refused.value.param == f"messages.0.content.0.{param}".rstrip(".")


def test_image__in_a_message_that_is_not_the_users__is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Only a user's message") as refused:
        clean_messages([message(image(PNG), role="assistant")])
    assert refused.value.code == "unsupported_content"


def test_messages__with_too_many_images__are_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        clean_messages([message(*[image(PNG)] * (MOST_ATTACHMENTS + 1))])
    assert refused.value.code == "too_many_attachments"
