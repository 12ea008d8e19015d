"""When providers take models away, as they published it. Dated: say "as of" wherever it is shown. Pure.

Sources, read on 21 November 2026: OpenAI's deprecations page
(https://developers.openai.com/api/docs/deprecations) and Anthropic's
(https://platform.claude.com/docs/en/about-claude/model-deprecations) with its release notes. Only dates that
were published for the providers' own platforms stand here: other hosts of the same models have their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

AS_OF: Final = date(2026, 11, 21)
WARNED_DAYS: Final = 90
SOURCES: Final[Mapping[str, str]] = {
    "api.openai.com": "https://developers.openai.com/api/docs/deprecations",
    "api.anthropic.com": "https://platform.claude.com/docs/en/about-claude/model-deprecations",
}


@dataclass(frozen=True, slots=True)
class Retirement:
    """The day a model goes, and what its provider recommends instead; empty where it names none."""

    model: str
    day: date
    instead: str = ""

    def is_past(self, today: date) -> bool:
        """Whether calls fail by now."""
        return self.day <= today

    def is_near(self, today: date) -> bool:
        """Whether it is gone or goes within 90 days."""
        return (self.day - today).days <= WARNED_DAYS


def _rows(day: date, instead: str, *models: str) -> tuple[Retirement, ...]:
    return tuple(Retirement(model, day, instead) for model in models)


_OPENAI: Final = (
    *_rows(date(2026, 7, 23), "gpt-5.4", "gpt-5-codex", "gpt-5.1-codex-max", "gpt-5.2-codex"),
    *_rows(date(2026, 7, 23), "", "gpt-5-chat-latest", "gpt-5.1-chat-latest", "gpt-5.1-codex"),
    *_rows(date(2026, 7, 23), "gpt-5.4-mini", "gpt-5.1-codex-mini"),
    *_rows(
        date(2026, 7, 23), "", "gpt-4o-search-preview-2025-03-11", "gpt-4o-mini-search-preview-2025-03-11"
    ),
    *_rows(date(2026, 10, 23), "gpt-5.6-terra", "gpt-3.5-turbo", "gpt-3.5-turbo-0125"),
    *_rows(date(2026, 10, 23), "gpt-5.6-terra", "o4-mini", "o4-mini-2025-04-16"),
    *_rows(
        date(2026, 10, 23),
        "gpt-5.6-sol",
        "gpt-4",
        "gpt-4-0613",
        "gpt-4-1106-preview",
        "gpt-4-turbo",
        "gpt-4-turbo-2024-04-09",
        "gpt-4o-2024-05-13",
        "o1",
        "o1-2024-12-17",
        "o1-pro",
        "o1-pro-2025-03-19",
        "o3-mini",
        "o3-mini-2025-01-31",
    ),
    *_rows(date(2026, 10, 23), "", "gpt-4.1-nano", "gpt-4.1-nano-2025-04-14"),
    *_rows(date(2026, 12, 11), "gpt-6.1-sol", "gpt-5", "gpt-5-2025-08-07"),
    *_rows(date(2026, 12, 11), "gpt-6.1-terra", "gpt-5-mini", "gpt-5-mini-2025-08-07"),
    *_rows(date(2026, 12, 11), "", "gpt-5-nano", "gpt-5-nano-2025-08-07"),
    *_rows(date(2026, 12, 11), "", "gpt-5-pro", "gpt-5-pro-2025-10-06", "o3-pro", "o3-pro-2025-06-10"),
    *_rows(date(2026, 12, 11), "", "o3", "o3-2025-04-16"),
    *_rows(
        date(2027, 1, 14),
        "gpt-6-luna",
        "gpt-4o",
        "gpt-4o-2024-08-06",
        "gpt-4o-2024-11-20",
        "gpt-4o-mini",
        "gpt-4o-mini-2024-07-18",
        "gpt-4.1",
        "gpt-4.1-2025-04-14",
        "gpt-4.1-mini",
        "gpt-4.1-mini-2025-04-14",
    ),
    *_rows(date(2027, 4, 1), "", "gpt-5.1", "gpt-5.3-codex", "gpt-5.4-nano"),
)
_ANTHROPIC: Final = (
    *_rows(date(2024, 11, 6), "", "claude-1.0", "claude-1.1", "claude-1.2", "claude-1.3"),
    *_rows(date(2024, 11, 6), "", "claude-instant-1.0", "claude-instant-1.1", "claude-instant-1.2"),
    *_rows(date(2025, 7, 21), "", "claude-2.0", "claude-2.1", "claude-3-sonnet-20240229"),
    *_rows(date(2025, 10, 28), "", "claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20241022"),
    *_rows(date(2026, 1, 5), "", "claude-3-opus-20240229"),
    *_rows(date(2026, 2, 19), "", "claude-3-7-sonnet-20250219"),
    *_rows(date(2026, 4, 20), "claude-haiku-4-5-20251001", "claude-3-haiku-20240307"),
    *_rows(date(2026, 6, 15), "", "claude-opus-4-20250514"),
    *_rows(date(2026, 6, 15), "claude-sonnet-4-6", "claude-sonnet-4-20250514"),
    *_rows(date(2026, 8, 5), "", "claude-opus-4-1", "claude-opus-4-1-20250805"),
)
_BY_HOST: Final[Mapping[str, Mapping[str, Retirement]]] = {
    "api.openai.com": {each.model: each for each in _OPENAI},
    "api.anthropic.com": {each.model: each for each in _ANTHROPIC},
}


def retirement_of(base_url: str, model: str) -> Retirement | None:
    """When the provider at an address takes a model away; None where it is not known."""
    host = base_url.removeprefix("https://").partition("/")[0].lower()
    return _BY_HOST.get(host, {}).get(model)
