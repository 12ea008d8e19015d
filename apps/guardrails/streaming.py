"""Looking at an answer while it comes: text is let go once no rule can find anything in it any more. Pure.

The end of what has come is held back, as far as the longest thing reaches that the policy's rules look for.
What is found across that border is held back whole, up to `LONGEST_HELD` characters. Rules that only flag
hold nothing back: they look at the whole answer in the end.
"""

from typing import Final

from apps.guardrails.redaction import Cut, Redacted
from apps.guardrails.rules import DenyListRule, GuardPolicy, LengthRule, PiiRule, Rule
from apps.guardrails.scanning import find_cuts

LONGEST_REACH: Final = 256
LONGEST_HELD: Final = 16_384
# New characters that make another look worth its time.
STEP: Final = 32
# What has gone is seen again, so that a word keeps its beginning.
CONTEXT: Final = 64
_PII_REACH: Final = {
    "email": 128,
    "phone": 40,
    "card": 32,
    "iban": 48,
    "ip": 48,
    "us_ssn": 48,
    "secrets": 256,
}
_PREVENTING: Final = ("redact", "block")


def holds_back(policy: GuardPolicy) -> bool:
    """Whether a streamed answer can't go out as it comes."""
    if policy.canary is not None and policy.canary.action == "block":
        return True
    return any(rule.action in _PREVENTING for rule in policy.rules_on("output"))


class StreamGuard:
    """One answer's text on its way: `feed` what comes, `finish` at its end. Nothing goes after `blocked`."""

    def __init__(self, policy: GuardPolicy, canary: str = "") -> None:
        rules = [rule for rule in policy.rules_on("output") if rule.action in _PREVENTING]
        self.blocked = False
        self._policy = policy
        self._canary = canary
        self._reach = max(map(_reach, rules), default=0)
        if canary and policy.canary is not None:
            self._reach = LONGEST_REACH
        self._most = min(
            (rule.most_characters for rule in rules if isinstance(rule, LengthRule) and rule.most_characters),
            default=None,
        )
        self._context = ""
        self._held = ""
        self._new = 0
        self._come = 0

    def feed(self, text: str) -> str:
        """What may go on, now that this has come."""
        self._held += text
        self._new += len(text)
        self._come += len(text)
        if self._most is not None and self._come > self._most:
            self.blocked = True
        if self.blocked or self._new < STEP or len(self._held) <= self._reach:
            return ""
        self._new = 0
        return self._release(len(self._held) - self._reach)

    def finish(self) -> str:
        """What may go on, now that everything has come."""
        return "" if self.blocked else self._release(len(self._held))

    def _release(self, size: int) -> str:
        """Let go of at most the first `size` held characters."""
        seen, begin = self._context + self._held, len(self._context)
        cuts, self.blocked = find_cuts(self._policy, seen, self._canary)
        if self.blocked:
            return ""
        border = self._border(cuts, begin + size)
        kept = [
            Cut(max(cut.start, begin) - begin, min(cut.end, border) - begin, cut.placeholder)
            for cut in cuts
            if cut.end > begin and cut.start < border
        ]
        self._context = seen[max(0, border - CONTEXT) : border]
        self._held = seen[border:]
        return Redacted(seen[begin:border], kept).text

    def _border(self, cuts: list[Cut], border: int) -> int:
        """The place up to which text goes: before what is found across it, unless that grew too long."""
        begin = len(self._context)
        for cut in sorted(cuts, key=lambda one: -one.start):
            if cut.start < border < cut.end:
                is_too_long = len(self._held) > LONGEST_HELD
                border = cut.end if is_too_long else max(cut.start, begin)
        return border


def _reach(rule: Rule) -> int:
    if isinstance(rule, PiiRule):
        return max(_PII_REACH[kind] for kind in rule.types)
    if isinstance(rule, DenyListRule):
        return min(LONGEST_REACH, max(len(word) for word in rule.words) * 2 + 8)
    return 0 if isinstance(rule, LengthRule) else LONGEST_REACH
