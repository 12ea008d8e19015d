"""An approximate token counter for estimates made before a call.

It follows what byte-pair vocabularies do on average (a token is a short word, about four characters of a
long one, one or two marks, about one character of Chinese or Japanese) and stays within some 15 % on
English prose; what is billed is always what the provider reports. Say "approximate" wherever it is shown.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from apps.core.chat_content import FILE, IMAGE, attachments_of, text_of

MESSAGE_OVERHEAD: Final = 4  # tokens that a chat format adds round each message
REPLY_OVERHEAD: Final = 3
# What OpenAI counts for one of 1024 × 1024; a page of a PDF is read as an image and as text.
IMAGE_TOKENS: Final = 765
LOW_IMAGE_TOKENS: Final = 85
PDF_TOKENS: Final = 1_500
PDF_BEGINNING: Final = "data:application/pdf"
BYTES_OF_TOKEN: Final = 4

_PIECE: Final = re.compile(r"[A-Za-z]+|\d{1,3}|[^\sA-Za-z\d]+|\n+| {2,}")


def count(text: str, model: str) -> int:
    """About how many tokens `text` makes; the model is taken for the day when counters differ by model."""
    del model
    return sum(_piece_tokens(piece) for piece in _PIECE.findall(text))


def count_messages(messages: Iterable[dict[str, Any]], model: str) -> int:
    """About how many input tokens a chat makes, with what the chat format adds."""
    total = REPLY_OVERHEAD
    for message in messages:
        total += MESSAGE_OVERHEAD + count(text_of(message), model) + count_attachments(message)
    return total


def count_attachments(message: Mapping[str, Any]) -> int:
    """About how many tokens the images and files of a message make; nobody knows a PDF's pages."""
    return sum(map(_attachment_tokens, attachments_of(message)))


def _attachment_tokens(part: Mapping[str, Any]) -> int:
    if part.get("type") == IMAGE:
        return LOW_IMAGE_TOKENS if part[IMAGE].get("detail") == "low" else IMAGE_TOKENS
    data = str((part.get(FILE) or {}).get("file_data", ""))
    return PDF_TOKENS if data.startswith(PDF_BEGINNING) else len(data) * 3 // 4 // BYTES_OF_TOKEN


def _piece_tokens(piece: str) -> int:
    if piece[0].isascii():
        if piece[0].isalpha():
            return 1 if len(piece) <= 7 else -(-len(piece) // 5)
        return 1 if piece[0].isspace() or piece[0].isdigit() else -(-len(piece) // 3)
    return len(piece)
