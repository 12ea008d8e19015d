"""The rules for names of prompts and labels."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from apps.core.errors import InvalidRequest
from apps.prompts.types import LATEST

MAX_NAME: Final = 255
MAX_TAGS: Final = 20
MAX_TAG: Final = 50
LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,35}\Z")
# What is asked of a prompt by a word after its name, at the gateway.
CALLS: Final = ("run", "render")
# A name is part of addresses such as /prompts/<name>/versions, and a server cannot tell %2F from a slash.
RESERVED_SEGMENTS: Final = frozenset(
    {"checks", "diff", "drafts", "export", "history", "import", "labels", "new", "render", "reviews"}
    | {"rollback", "rollouts", "run", "serving", "versions", ".", ".."}
)
_FORBIDDEN: Final = re.compile(r"""[@|?#%\\:"<>{}\x00-\x1f\x7f]""")
_PUBLIC_ID: Final = re.compile(r"prm_[0-9a-z]{26}\Z")


def clean_prompt_name(name: str) -> str:
    """A prompt's name in its stored form. ``/`` makes folders. Raises InvalidRequest ``name_invalid``."""
    cleaned = unicodedata.normalize("NFC", name.strip())
    problem = _name_problem(cleaned)
    if problem:
        raise InvalidRequest(problem, code="name_invalid", param="name")
    return cleaned


def _name_problem(name: str) -> str:
    if not name or len(name) > MAX_NAME:
        return f"A prompt's name has 1 to {MAX_NAME} characters."
    found = _FORBIDDEN.search(name)
    if found or not name.isprintable():
        which = f"“{found.group()}”" if found and found.group().isprintable() else "invisible characters"
        return f"A prompt's name cannot hold {which}."
    if _PUBLIC_ID.match(name):
        return "A prompt's name cannot look like an id."
    for segment in name.split("/"):
        if segment != segment.strip() or not segment:
            return "A folder in a prompt's name is empty or begins or ends with a blank."
        if segment.lower() in RESERVED_SEGMENTS:
            return f"“{segment}” is reserved and cannot be a part of a prompt's name."
    return ""


def check_label(label: str) -> str:
    """A label that can be moved. Raises InvalidRequest ``label_invalid`` or ``label_reserved``."""
    if label == LATEST:
        message = "The label latest follows the newest version by itself and cannot be moved."
        raise InvalidRequest(message, code="label_reserved", param="label")
    if not LABEL.match(label):
        message = (
            "A label has 1 to 36 characters: a to z, digits, dot, dash, underscore; first a letter or digit."
        )
        raise InvalidRequest(message, code="label_invalid", param="label")
    return label


def clean_folder(folder: str) -> str:
    """The beginning of the names in a folder: ``a/b/``, or nothing for the top. Raises InvalidRequest."""
    path = folder.strip().strip("/")
    if not path:
        return ""
    try:
        return f"{clean_prompt_name(path)}/"
    except InvalidRequest as error:
        message = error.message.replace("A prompt's name", "A folder's name")
        raise InvalidRequest(message, code="name_invalid", param="folder") from None


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Tags in their stored form: small letters, each once, by name. Raises InvalidRequest ``tag_invalid``."""
    cleaned = {unicodedata.normalize("NFC", " ".join(tag.split()).lower()) for tag in tags}
    cleaned.discard("")
    for tag in cleaned:
        if len(tag) > MAX_TAG or "," in tag or not tag.isprintable():
            message = f"A tag has 1 to {MAX_TAG} characters, no comma and nothing invisible."
            raise InvalidRequest(message, code="tag_invalid", param="tags")
    if len(cleaned) > MAX_TAGS:
        raise InvalidRequest(f"A prompt has at most {MAX_TAGS} tags.", code="tag_invalid", param="tags")
    return sorted(cleaned)
