"""Guardrails in the words of people: kinds of rules, what they look for, where, what they do. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from apps.guardrails.signals import SIGNAL_WORDS

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "injection": ("Prompt injection", "Finds texts that try to give the model orders. Each has a score."),
    "pii": (
        "Personal data and secrets",
        "Finds what looks like them and passes its check sum, where it has one.",
    ),
    "deny_list": ("Deny list", "Finds whole words and phrases, whatever their case or accents."),
    "regex": ("Pattern", "Finds what an RE2 pattern matches."),
    "length": ("Length", "Caps what is sent or answered."),
    "canary": ("Canary", "The secret word of the system prompt stands in an answer."),
    "judge": ("Judge", "A model was asked for its verdict."),
}
PII_WORDS: Final[Mapping[str, str]] = {
    "email": "E-mail addresses",
    "phone": "Phone numbers",
    "card": "Card numbers",
    "iban": "IBANs",
    "ip": "IP addresses",
    "us_ssn": "US social security numbers",
    "secrets": "Keys and tokens",
}
SIDES: Final = (("input", "Input"), ("output", "Answer"), ("both", "Input and answer"))
ACTIONS: Final[Mapping[str, str]] = {
    "allow": "Do nothing",
    "flag": "Flag",
    "redact": "Redact",
    "block": "Block",
}
DONE: Final[Mapping[str, str]] = {"flag": "Flagged", "redact": "Redacted", "block": "Blocked"}


def hit_words(hit: Mapping[str, Any]) -> str:
    """What a stored hit found: the reasons for its score, or the type of what it is."""
    signals = [SIGNAL_WORDS.get(name, str(name)) for name in hit.get("signals") or ()]
    kind = str(hit.get("kind", ""))
    what = str(hit.get("type") or "")
    return " ".join(signals) or PII_WORDS.get(what, what) or KINDS.get(kind, (kind, ""))[0]


def place_words(place: str) -> str:
    """Where a stored hit stands: "variable review", "message 2", "answer"."""
    head, _, rest = place.partition(".")
    first, _, path = rest.partition(".")
    if head == "variables":
        return f"variable {first}" + (f", {path}" if path else "")
    if head == "messages":
        return f"message {_ordinal(first)}" + (", arguments of a tool call" if "tool_calls" in path else "")
    if head == "tool_calls":
        return f"arguments of tool call {_ordinal(first)}"
    return "answer" if head == "output" else place


def _ordinal(text: str) -> str:
    return str(int(text) + 1) if text.isascii() and text.isdigit() and len(text) < 6 else text
