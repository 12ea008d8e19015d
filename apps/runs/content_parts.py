"""The parts of a user's message beside text: images and files, checked and brought into one form. Pure.

The form is OpenAI's: ``{"type": "image_url", "image_url": {"url", "detail"?}}`` and
``{"type": "file", "file": {"filename", "file_data"}}``. An image is an https address, which the provider
fetches (we never do), or a data URL; a file is always a data URL in the end.
"""

import binascii
from collections.abc import Callable, Mapping
from typing import Any, Final

from apps.core.chat_content import FILE, IMAGE, TEXT
from apps.core.errors import InvalidRequest

MOST_ATTACHMENTS: Final = 50
LONGEST_ADDRESS: Final = 8_192
LONGEST_FILENAME: Final = 255
DETAILS: Final = ("auto", "low", "high")
IMAGE_TYPES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
TEXT_TYPES: Final = ("text/plain", "text/markdown", "text/csv", "text/html", "application/json")
PDF: Final = "application/pdf"
FILE_TYPES: Final = (PDF, *TEXT_TYPES)
_BY_ENDING: Final = {
    "pdf": PDF,
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
}
# How each begins; a text has no mark of its own.
_MARKS: Final = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
    PDF: b"%PDF-",
}
_LONGEST_HEAD: Final = 100

Part = dict[str, Any]


def clean_part(part: Any, param: str) -> Part:
    """One part of a message's content. Raises InvalidRequest naming the field."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    cleaner = _CLEANERS.get(kind) if isinstance(kind, str) else None
    if cleaner is None:
        raise InvalidRequest(
            f"A part's type is one of {', '.join(_CLEANERS)}.", code="unsupported_content", param=param
        )
    return cleaner(part, param)


def clean_image(url: Any, detail: Any, param: str) -> Part:
    """An image by its address: https, or a data URL of an image. Raises InvalidRequest for `param`."""
    if not isinstance(url, str) or not url:
        raise _refused("An image has a url: an https address or a data URL.", param)
    if url.startswith("data:"):
        _check_data(url, IMAGE_TYPES, "image", param)
    else:
        _check_address(url, param)
    image: Part = {"url": url}
    if detail is not None:
        if detail not in DETAILS:
            raise InvalidRequest(f"detail is one of {', '.join(DETAILS)}.", param=f"{param}.detail")
        image["detail"] = detail
    return {"type": IMAGE, IMAGE: image}


def clean_file(data: Any, filename: Any, param: str) -> Part:
    """A file by its content: a data URL, or bare base64 whose type the name tells. Raises InvalidRequest."""
    if filename is not None and not _is_name(filename):
        raise InvalidRequest(
            f"filename is a text of 1 to {LONGEST_FILENAME} printable characters.", param=f"{param}.filename"
        )
    if not isinstance(data, str) or not data:
        raise _refused("A file has file_data: a data URL, or its content in base64.", f"{param}.file_data")
    if not data.startswith("data:"):
        data = f"data:{_type_by_name(filename, param)};base64,{data}"
    media_type = _check_data(data, FILE_TYPES, "file", f"{param}.file_data")
    return {"type": FILE, FILE: {"filename": filename or _default_name(media_type), "file_data": data}}


def _text(part: Mapping[str, Any], param: str) -> Part:
    if not isinstance(part.get("text"), str):
        raise InvalidRequest("A text part has a text.", code="unsupported_content", param=param)
    return {"type": TEXT, "text": part["text"]}


def _image(part: Mapping[str, Any], param: str) -> Part:
    image = part.get(IMAGE)
    if not isinstance(image, Mapping):
        raise _refused("image_url is an object with a url.", f"{param}.image_url")
    return clean_image(image.get("url"), image.get("detail"), f"{param}.image_url")


def _file(part: Mapping[str, Any], param: str) -> Part:
    file = part.get(FILE)
    if not isinstance(file, Mapping):
        raise _refused("file is an object with file_data and filename.", f"{param}.file")
    if file.get("file_id") is not None:
        raise InvalidRequest(
            "No files are kept here: send the content as file_data.",
            code="unsupported_parameter",
            param=f"{param}.file.file_id",
        )
    return clean_file(file.get("file_data"), file.get("filename"), f"{param}.file")


_CLEANERS: Final[dict[str, Callable[[Mapping[str, Any], str], Part]]] = {
    TEXT: _text,
    IMAGE: _image,
    FILE: _file,
}


def _check_address(url: str, param: str) -> None:
    host = url[8:].partition("/")[0]
    if not url.startswith("https://") or not host or len(url) > LONGEST_ADDRESS:
        raise _refused(
            f"An image's address is https, of at most {LONGEST_ADDRESS:,} characters, or a data URL.", param
        )
    if not url.isprintable() or " " in url or "@" in host:
        raise _refused("An image's address has no spaces, no control characters and no user name.", param)


def _check_data(url: str, allowed: tuple[str, ...], noun: str, param: str) -> str:
    """The media type of a data URL whose content is base64 and begins as that type does."""
    head, comma, content = url[: _LONGEST_HEAD + 5].partition(",")
    media_type, _, encoding = head[5:].partition(";")
    media_type = media_type.lower()
    if not comma or encoding.rpartition(";")[2] != "base64":
        raise _refused("A data URL is data:<type>;base64,<content>.", param)
    if media_type not in allowed:
        raise InvalidRequest(
            f"The type of the {noun} is not one of {', '.join(allowed)}.",
            code="attachment_unsupported",
            param=param,
        )
    content = url[len(head) + 1 :]
    mark = _MARKS.get(media_type, b"")
    try:
        found = binascii.a2b_base64(content.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise _refused(f"The content of the {noun} is not valid base64.", param) from None
    if not found or not found.startswith(mark):
        raise _refused(f"The content of the {noun} is not of the type {media_type}.", param)
    return media_type


def _type_by_name(filename: Any, param: str) -> str:
    ending = filename.rpartition(".")[2].lower() if isinstance(filename, str) else ""
    if ending not in _BY_ENDING:
        raise _refused(
            f"Bare base64 needs a filename that ends in one of {', '.join(_BY_ENDING)}.", f"{param}.filename"
        )
    return _BY_ENDING[ending]


def _default_name(media_type: str) -> str:
    ending = next(ending for ending, found in _BY_ENDING.items() if found == media_type)
    return f"file.{ending}"


def _is_name(filename: Any) -> bool:
    return isinstance(filename, str) and 0 < len(filename) <= LONGEST_FILENAME and filename.isprintable()


def _refused(message: str, param: str) -> InvalidRequest:
    return InvalidRequest(message, code="attachment_invalid", param=param)
