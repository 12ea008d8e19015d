"""Looking at texts by all rules of a side in one go. Pure; time grows with the text alone."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from apps.guardrails import pii
from apps.guardrails.canary import find_canary
from apps.guardrails.deny_list import find_words
from apps.guardrails.findings import CLEAN, MOST_HITS, STRENGTH, Hit, HitKind, Piece, Scan
from apps.guardrails.injection import suspicions
from apps.guardrails.plans import (
    DISGUISES,
    MOST_SINGLE_PIECES,
    NUMBERS,
    SECRETS,
    SEPARATOR,
    Plan,
    Seen,
    plan_of,
    words_sign,
)
from apps.guardrails.redaction import Cut, Redacted
from apps.guardrails.rules import (
    Action,
    DenyListRule,
    GuardPolicy,
    InjectionRule,
    LengthRule,
    PiiRule,
    RegexRule,
    Side,
)

CountTokens = Callable[[str], int]
MOST_MATCHES: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Find:
    """A find in the joined text."""

    rule: str
    kind: HitKind
    action: Action
    start: int
    end: int
    type: str = ""
    score: float | None = None
    signals: tuple[str, ...] = ()

    @property
    def withheld(self) -> bool:
        """Whether it is cut out although the text as a whole is blocked."""
        return self.action == "block" and self.kind in ("pii", "regex", "deny_list")

    @property
    def placeholder(self) -> str:
        """What stands in its place once it is redacted."""
        if self.kind == "pii":
            return f"[{'secret' if self.type == 'secrets' else self.type}]"
        return "[removed]" if self.kind == "deny_list" else f"[{self.rule}]"


def scan(
    policy: GuardPolicy,
    side: Side,
    pieces: Sequence[Piece],
    *,
    count_tokens: CountTokens | None = None,
    canary: str = "",
) -> Scan:
    """What the rules of a side say of the pieces. `canary` is the token that no answer may hold."""
    plan = plan_of(policy, side)
    texts = tuple(piece.text for piece in pieces)
    if not pieces or not (plan.rules or canary):
        return replace(CLEAN, texts=texts)
    seen = plan.look(texts, canary)
    if seen is None:
        return Scan((), texts, 0.0 if plan.injects else None)
    joined = _Joined(pieces, seen)
    finds, score = _finds(policy, plan, joined, count_tokens, canary)
    hits, texts = joined.settle(finds, side) if finds else ((), texts)
    return Scan(hits, texts, score)


def find_cuts(policy: GuardPolicy, text: str, canary: str) -> tuple[list[Cut], bool]:
    """What has to be cut out of a part of an answer, and whether a rule blocks it."""
    plan = plan_of(policy, "output")
    seen = plan.look((text,), canary)
    if seen is None:
        return [], False
    finds, _ = _finds(policy, plan, _Joined([Piece("output", text)], seen), None, canary)
    cuts = [Cut(find.start, find.end, find.placeholder) for find in finds if find.action == "redact"]
    return cuts, any(find.action == "block" for find in finds)


def _finds(
    policy: GuardPolicy,
    plan: Plan,
    joined: "_Joined",
    count_tokens: CountTokens | None,
    canary: str,
) -> tuple[list[_Find], float | None]:
    finds: list[_Find] = []
    score: float | None = None
    for rule, pattern in plan.rules:
        if isinstance(rule, InjectionRule):
            score = max(score or 0.0, joined.injection(rule, finds))
        elif isinstance(rule, LengthRule):
            finds.extend(joined.lengths(rule, count_tokens))
        else:
            finds.extend(joined.look(rule, pattern))
    if canary and policy.canary is not None:
        finds.extend(
            _Find("canary", "canary", policy.canary.action, start, end, signals=(signal,))
            for start, end, signal in find_canary(joined.text, canary)
        )
    return finds, score


class _Joined:
    """All pieces as one text: rules then cost one look, however many pieces there are."""

    def __init__(self, pieces: Sequence[Piece], seen: Seen) -> None:
        self.pieces = pieces
        self.text = seen.text
        self.folded = seen.folded
        self.seen = seen
        self.starts: list[int] = []
        place = 0
        for piece in pieces:
            self.starts.append(place)
            place += len(piece.text) + len(SEPARATOR)

    def look(self, rule: PiiRule | DenyListRule | RegexRule, pattern: Any) -> Iterator[_Find]:
        """What a rule about single places finds."""
        signs = self.seen.signs
        if isinstance(rule, PiiRule):
            numbers, secrets = NUMBERS in signs, SECRETS in signs
            for one in pii.find(self.folded, self.text, rule.types, numbers=numbers, secrets=secrets):
                start, end = self.folded.span(one.start, one.end)
                signals = (one.signal,) if one.signal else ()
                yield _Find(rule.name, "pii", rule.action, start, end, one.type, signals=signals)
        elif isinstance(rule, DenyListRule):
            for start, end in find_words(pattern, self.text, self.folded, latin=words_sign(rule) in signs):
                yield _Find(rule.name, "deny_list", rule.action, start, end)
        else:
            for start, end in self._matches(pattern):
                yield _Find(rule.name, "regex", rule.action, start, end)

    def _matches(self, pattern: Any) -> Iterator[tuple[int, int]]:
        """Where a customer's pattern matches. Many pieces are looked through as one text, and a match over
        several is one in each: it hides what it covers."""
        if len(self.pieces) <= MOST_SINGLE_PIECES:
            for start, piece in zip(self.starts, self.pieces, strict=True):
                for _, match in zip(range(MOST_MATCHES), pattern.finditer(piece.text), strict=False):
                    if match.end() > match.start():
                        yield start + match.start(), start + match.end()
            return
        for _, match in zip(range(MOST_MATCHES), pattern.finditer(self.text), strict=False):
            yield from self._portions(*match.span())

    def _portions(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        for number in range(bisect_right(self.starts, start) - 1, bisect_right(self.starts, end - 1)):
            first = max(start, self.starts[number])
            last = min(end, self.starts[number] + len(self.pieces[number].text))
            if last > first:
                yield first, last

    def injection(self, rule: InjectionRule, finds: list[_Find]) -> float:
        """Add a find for each piece over the threshold; the highest score of all."""
        highest = 0.0
        found = suspicions(
            self.text, self.folded, self.starts, self.seen.signals, disguised=DISGUISES in self.seen.signs
        )
        for number, suspicion in found.items():
            if self.pieces[number].trusted:
                continue
            score = suspicion.score
            highest = max(highest, score)
            if score >= rule.threshold:
                signals = tuple(sorted(suspicion.weights, key=lambda name: -suspicion.weights[name]))
                find = _Find(rule.name, "injection", rule.action, suspicion.start, suspicion.end)
                finds.append(replace(find, score=score, signals=signals))
        return highest

    def lengths(self, rule: LengthRule, count_tokens: CountTokens | None) -> Iterator[_Find]:
        """A find over the longest piece where the untrusted ones together pass a cap."""
        numbers = [number for number, piece in enumerate(self.pieces) if not piece.trusted]
        if not numbers:
            return
        longest = max(numbers, key=lambda number: len(self.pieces[number].text))
        start = self.starts[longest]
        end = start + len(self.pieces[longest].text)
        characters = sum(len(self.pieces[number].text) for number in numbers)
        if rule.most_characters is not None and characters > rule.most_characters:
            yield _Find(rule.name, "length", rule.action, start, end, "characters")
        # A token is at least one byte, so short texts needn't be counted.
        if rule.most_tokens is None or count_tokens is None or characters * 4 <= rule.most_tokens:
            return
        if sum(count_tokens(self.pieces[number].text) for number in numbers) > rule.most_tokens:
            yield _Find(rule.name, "length", rule.action, start, end, "tokens")

    def settle(self, finds: list[_Find], side: Side) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
        """Redact, and tell each find's place in the texts that result."""
        by_piece: dict[int, list[_Find]] = {}
        for find in [*finds, *self._unseen(finds)]:
            number = bisect_right(self.starts, find.start) - 1
            by_piece.setdefault(number, []).append(self._within(find, number))
        texts = [piece.text for piece in self.pieces]
        hits: list[Hit] = []
        for number in sorted(by_piece):
            redacted = self._redact(number, by_piece[number])
            texts[number] = redacted.text
            hits.extend(self._hit(find, redacted, number, side) for find in by_piece[number][:MOST_MATCHES])
        hits.sort(key=lambda hit: -STRENGTH.index(hit.action))
        return tuple(hits[:MOST_HITS]), tuple(texts)

    def _unseen(self, finds: list[_Find]) -> Iterator[_Find]:
        """Everything behind the last find of a rule that found as much as it looks for: nobody looked there,
        so nothing of it goes on."""
        if len(finds) < MOST_MATCHES:
            return
        for (rule, kind), found in Counter((find.rule, find.type) for find in finds).items():
            last = max(
                (find for find in finds if (find.rule, find.type) == (rule, kind)), key=lambda one: one.end
            )
            if found >= MOST_MATCHES and (last.action == "redact" or last.withheld):
                for start, end in self._portions(last.end, len(self.text)):
                    yield replace(last, start=start, end=end, signals=("not_looked_at",))

    def _within(self, find: _Find, number: int) -> _Find:
        """The find in characters of its piece; what reaches beyond is cut off."""
        first, size = self.starts[number], len(self.pieces[number].text)
        return replace(find, start=min(find.start - first, size), end=min(find.end - first, size))

    def _redact(self, number: int, finds: list[_Find]) -> Redacted:
        # What blocks goes nowhere but into the run's record, and personal data shall not lie there either.
        redacting = [find for find in finds if find.action == "redact" or find.withheld]
        cuts = [Cut(find.start, find.end, find.placeholder) for find in redacting]
        return Redacted(self.pieces[number].text, cuts)

    def _hit(self, find: _Find, redacted: Redacted, number: int, side: Side) -> Hit:
        start, end = redacted.span(find.start, find.end)
        return Hit(
            rule=find.rule,
            kind=find.kind,
            type=find.type,
            side=side,
            place=self.pieces[number].place,
            start=start,
            end=end,
            action=find.action,
            score=find.score,
            signals=find.signals,
        )
