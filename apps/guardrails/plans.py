"""A policy's rules of one side, compiled, and the quick look that tells that they find nothing. Pure.

Ordinary text is what is paid for every day: it takes one fold and two calls of RE2, and builds nothing. The
stems of injection are looked for by themselves: together with the rest they would make an automaton of many
times as many states, which RE2 builds as it meets new text.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from apps.guardrails.canary import find_canary
from apps.guardrails.deny_list import MEMORY, DenyPattern, compile_words
from apps.guardrails.expressions import PatternSet, customer_pattern
from apps.guardrails.folding import Folded, fold
from apps.guardrails.injection import STEMS
from apps.guardrails.pii import NUMBERS_PATTERN, NUMERIC
from apps.guardrails.rules import (
    DenyListRule,
    GuardPolicy,
    InjectionRule,
    LengthRule,
    PiiRule,
    RegexRule,
    Rule,
    Side,
)
from apps.guardrails.secrets import SECRETS_PATTERN
from apps.guardrails.views import SIGN_PATTERN

# Between pieces; no text can hold NUL, and no rule's pattern crosses it unless a customer's does.
SEPARATOR: Final = "\n\x00\n"
MOST_SINGLE_PIECES: Final = 50
"""Of more pieces than that, a customer's pattern looks at all as one text."""
DISGUISES: Final = "disguises"
NUMBERS: Final = "numbers"
SECRETS: Final = "secrets"
# Longer lists of words are looked for by themselves: a set of several must stay within RE2's memory.
_LONGEST_WORDS: Final = 100_000
_LONGEST_TEXT: Final = 2**62
_BYTES_OF_CHARACTER: Final = 4


class Seen(NamedTuple):
    """What a quick look saw in pieces of text, joined: nothing that is not named here is there.

    `signals` are the numbers of injection's signals of which a stem is there; `signs` are DISGUISES, NUMBERS,
    SECRETS and `words_sign` of rules.
    """

    text: str
    folded: Folded
    signals: Sequence[int]
    signs: Sequence[str]


class Plan:
    """The rules of a side, each with its own compiled pattern if it has one."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = tuple((rule, _pattern(rule)) for rule in rules)
        self.injects = any(isinstance(rule, InjectionRule) for rule in rules)
        self._customers = tuple(pattern for rule, pattern in self.rules if isinstance(rule, RegexRule))
        self._emails = any(isinstance(rule, PiiRule) and "email" in rule.types for rule in rules)
        words = [pattern for _, pattern in self.rules if isinstance(pattern, DenyPattern)]
        self._reads_other_scripts = any(pattern.other is not None for pattern in words)
        signs = dict(_signs(self.rules))
        set_apart = sum(len(pattern.folded) for pattern in words) > _LONGEST_WORDS
        self._always = [name for name in signs if set_apart and name.startswith(_WORDS)]
        self._names = [name for name in signs if name not in self._always]
        patterns = [signs[name] for name in self._names]
        self._set = PatternSet(patterns, memory=MEMORY) if patterns else None
        self._most_characters = min(map(_fewest_characters, rules), default=_LONGEST_TEXT)

    def look(self, texts: Sequence[str], canary: str = "") -> Seen | None:
        """What there may be to find in the texts; None where there is nothing, as a rule."""
        text = texts[0] if len(texts) == 1 else SEPARATOR.join(texts)
        folded = fold(text)
        signals = STEMS.find(folded.data) if self.injects else ()
        found = self._set.find(folded.data) if self._set is not None else ()
        if signals or found or self._may_hold_more(text, folded, texts, canary):
            return Seen(text, folded, signals, [*self._always, *(self._names[number] for number in found)])
        return None

    def _may_hold_more(self, text: str, folded: Folded, texts: Sequence[str], canary: str) -> bool:
        """Whether there may be what patterns for folded text don't tell of."""
        if self._always or len(text) > self._most_characters or (self._emails and b"@" in folded.data):
            return True
        # Invisible characters may write a text of their own.
        if folded.offsets is not None or (self._reads_other_scripts and not text.isascii()):
            return True
        if canary and next(find_canary(text, canary), None) is not None:
            return True
        looked = texts if len(texts) <= MOST_SINGLE_PIECES else (text,)
        return any(pattern.search(each) is not None for pattern in self._customers for each in looked)


@lru_cache(maxsize=1_000)
def plan_of(policy: GuardPolicy, side: Side) -> Plan:
    """The plan of a policy's side."""
    return Plan(policy.rules_on(side))


_WORDS: Final = "words "


def words_sign(rule: DenyListRule) -> str:
    """The sign that a word of the rule may be there."""
    return _WORDS + rule.name


def _signs(rules: Sequence[tuple[Rule, Any]]) -> Iterator[tuple[str, str]]:
    """Each sign that is worth a look, with its pattern."""
    for rule, pattern in rules:
        if isinstance(rule, InjectionRule):
            yield DISGUISES, SIGN_PATTERN
        elif isinstance(rule, PiiRule):
            if not NUMERIC.isdisjoint(rule.types):
                yield NUMBERS, NUMBERS_PATTERN
            if "secrets" in rule.types:
                yield SECRETS, SECRETS_PATTERN
        elif isinstance(rule, DenyListRule) and pattern.folded:
            yield words_sign(rule), pattern.folded


def _fewest_characters(rule: Rule) -> int:
    """The length from which on a rule may find a text too long."""
    if not isinstance(rule, LengthRule):
        return _LONGEST_TEXT
    characters = _LONGEST_TEXT if rule.most_characters is None else rule.most_characters
    if rule.most_tokens is None:
        return characters
    # A token is at least one byte.
    return min(characters, rule.most_tokens // _BYTES_OF_CHARACTER)


def _pattern(rule: Rule) -> Any:
    if isinstance(rule, DenyListRule):
        return compile_words(rule.words)
    return customer_pattern(rule.pattern) if isinstance(rule, RegexRule) else None
