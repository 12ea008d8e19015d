"""Finding keys, tokens and passwords by the forms their makers gave them. Pure."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from apps.guardrails.expressions import folded_pattern
from apps.guardrails.folding import Folded

MOST_FOUND: Final = 10_000

# Name of the form, its pattern in folded text.
_FORMS: Final[dict[str, str]] = {
    "private_key": r"-----begin (?:[a-z0-9]+ )*private key(?: block)?-----[a-z0-9+/=\s\\:,.\-]*?"
    r"(?:-----end (?:[a-z0-9]+ )*private key(?: block)?-----|\z)",
    "json_web_token": r"\beyj[a-z0-9_\-]{8,}\.eyj[a-z0-9_\-]{8,}\.[a-z0-9_\-]{8,}",
    "openai_or_anthropic_key": r"\bsk-[a-z0-9_\-]{20,}",
    "aws_key_id": r"\b(?:akia|asia)[0-9a-z]{16}\b",
    "github_token": r"\b(?:gh[pousr]_[a-z0-9]{36,}|github_pat_[a-z0-9_]{40,})",
    "gitlab_token": r"\bglpat-[a-z0-9_\-]{20,}",
    "slack_token": r"\bxox[abeprs]-[a-z0-9\-]{10,}|hooks\.slack\.com/services/[a-z0-9/]{20,}",
    "stripe_key": r"\b[sr]k_(?:live|test)_[a-z0-9]{16,}",
    "google_key": r"\baiza[a-z0-9_\-]{35}",
    "sendgrid_key": r"\bsg\.[a-z0-9_\-]{16,}\.[a-z0-9_\-]{16,}",
    "npm_token": r"\bnpm_[a-z0-9]{36}",
    "hugging_face_token": r"\bhf_[a-z0-9]{30,}",
    "promptsaas_key": r"\bpsk_(?:live|test)_[a-z0-9]+_[a-z0-9]{30,}",
    "bearer_token": r"\bbearer [a-z0-9._~+/\-]{20,}=*",
    "password_in_address": r"\b[a-z][a-z0-9+.\-]+://[^\s/:@\"'<>]*:[^\s/@\"'<>]{3,}@",
    "assigned_secret": r"(?:api[_\-]?key|access[_\-]?key|secret[_\-]?key|client[_\-]?secret|access[_\-]?token"
    r"|auth[_\-]?token|passw(?:or)?d|passwort|kennwort|contrasena|\bpwd|\bsecret|\btoken)"
    r"[\"']? ?[:=] ?[\"']?[^\s\"'<>{}$(),;]{8,}",
}
SECRETS_PATTERN: Final = "|".join(f"(?:{pattern})" for pattern in _FORMS.values())
"""Tells whether a folded text has something of a secret's form."""
_ANY: Final = folded_pattern(SECRETS_PATTERN)
_EACH: Final = {name: folded_pattern(rf"^(?:{pattern})") for name, pattern in _FORMS.items()}
_ASSIGNMENT: Final = re.compile(rb"[\"']?\s?[:=]\s?[\"']?")


def find_secrets(folded: Folded, text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and form of every secret, as bytes of the folded text."""
    for _, match in zip(range(MOST_FOUND), _ANY.finditer(folded.data), strict=False):
        start, end = match.span()
        data = folded.data[start:end]
        name = next((name for name, pattern in _EACH.items() if pattern.match(data)), "")
        written = text[slice(*folded.span(start, end))]
        check = _CHECKS.get(name)
        if name == "assigned_secret":
            assigned = _ASSIGNMENT.search(data)
            start += assigned.end() if assigned else 0
            # The sentence's end is not the secret's.
            end -= len(data) - len(data.rstrip(b".?!:"))
            written = text[slice(*folded.span(start, end))]
        if name and (check is None or check(written)):
            yield start, end, name


def _is_mixed(written: str) -> bool:
    """Letters and digits: words of a language are no keys."""
    return any(c.isdigit() for c in written) and any(c.isalpha() for c in written)


def _is_password(written: str) -> bool:
    # A call or a look-up in code isn't a value.
    return _is_mixed(written) and not any(sign in written for sign in ("[", "()", "..."))


_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "openai_or_anthropic_key": _is_mixed,
    "aws_key_id": str.isupper,
    "bearer_token": _is_mixed,
    "assigned_secret": _is_password,
}
