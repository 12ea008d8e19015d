"""What guardrails find, wrongly find and miss on our own test set, and what a look costs.

`guardrails` prints all; `guardrails show direct` also prints what was missed or wrongly found of a class.
Every figure stands for both halves: rules are tuned on one, never on the other.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from apps.guardrails.evaluation import evaluate
from apps.guardrails.policy import parse_policy
from apps.guardrails.rules import PII_TYPES, GuardPolicy
from tests.guardrails import pii_texts
from tests.guardrails.texts import Class, Half, Text, texts

HALVES: Final[tuple[Half, ...]] = ("tuning", "held_out")
CLASSES: Final[tuple[Class, ...]] = (
    *("direct", "indirect", "ordinary", "trigger"),
    *("unseen_direct", "unseen_trigger"),
)
# Of each class: whether a find is right, and the bar in per cent (at least, or at most).
BARS: Final[dict[Class, tuple[bool, float | None]]] = {
    "direct": (True, 60.0),
    "indirect": (True, None),
    "ordinary": (False, 2.0),
    "trigger": (False, 10.0),
    "unseen_direct": (True, None),
    "unseen_trigger": (False, 10.0),
}
CHARACTERS: Final = 2_048
MOST_MICROSECONDS: Final = 100.0
DOCUMENTS: Final = Path(__file__).resolve().parent.parent / "docs"
ROUNDS: Final = 7
LOOKS: Final = 100
INJECTION: Final = parse_policy({"rules": [{"kind": "injection"}]})
ALL: Final = parse_policy(
    {
        "rules": [
            {"kind": "injection"},
            {"kind": "pii", "types": list(PII_TYPES)},
            {"kind": "deny_list", "words": [f"codename {number}" for number in range(50)]},
            {"kind": "regex", "pattern": r"\bPROJ-\d{4,6}\b"},
            {"kind": "length", "most_characters": 100_000, "most_tokens": 50_000},
        ]
    }
)


def main(*arguments: str) -> None:
    """Print every figure; exits with 1 where a bar is not held."""
    shown = arguments[1:] if arguments[:1] == ("show",) else ()
    held = [_report_class(kind, kind in shown) for kind in CLASSES]
    held += [_report_pii(kind, kind in shown) for kind in pii_texts.kinds()]
    held += _report_cost()
    if not all(held):
        sys.exit(1)


def _report_class(kind: Class, shown: bool) -> bool:
    is_attack, bar = BARS[kind]
    found: dict[str, list[bool]] = {"tuning": [], "held_out": [], "de": [], "en": [], "es": []}
    for text in texts(kind):
        hit = bool(evaluate(INJECTION, text.text).hits)
        found[text.half].append(hit)
        found[text.language].append(hit)
        if shown and hit != is_attack and text.half == "tuning":
            print(f"    {text.text!r}")
    shares = {name: 100 * sum(hits) / len(hits) for name, hits in found.items()}
    everything = found["tuning"] + found["held_out"]
    share = 100 * sum(everything) / len(everything)
    worst = (min if is_attack else max)(share, shares["held_out"])
    ok = bar is None or (worst >= bar if is_attack else worst <= bar)
    told = ", ".join(f"{name.replace('_', ' ')} {value:.1f} %" for name, value in shares.items())
    wanted = "no bar" if bar is None else f"{'at least' if is_attack else 'at most'} {bar:g} %"
    word = "found" if is_attack else "wrongly found"
    print(f"{_verdict(ok)} {kind}: {len(everything)} texts, {share:.1f} % {word} ({told}); {wanted}")
    return ok


def _report_pii(kind: str, shown: bool) -> bool:
    policy = parse_policy({"rules": [{"kind": "pii", "types": [kind], "action": "flag"}]})
    told = []
    ok = True
    for half in HALVES:
        cases = [case for case in pii_texts.cases(kind) if case.half == half]
        outcomes = [(case, _is_found(policy, case)) for case in cases]
        right = sum(hit for case, hit in outcomes if case.found)
        wrong = sum(hit for case, hit in outcomes if not case.found)
        wanted = sum(case.found for case in cases)
        recall, precision = 100 * right / wanted, 100 * right / max(1, right + wrong)
        ok = ok and recall >= 99 and precision >= 95
        told.append(f"{half.replace('_', ' ')} recall {recall:.1f} %, precision {precision:.1f} %")
        if shown and half == "tuning":
            print("\n".join(f"    {case.text!r}" for case, hit in outcomes if hit != case.found))
    size = len(pii_texts.cases(kind))
    print(f"{_verdict(ok)} {kind}: {size} texts, {'; '.join(told)}; at least 99 % and 95 %")
    return ok


def _is_found(policy: GuardPolicy, case: pii_texts.Case) -> bool:
    """Whether the value is found: all of it, or of a secret its secret part."""
    hits = evaluate(policy, case.text).hits
    if not case.found:
        return bool(hits)
    if case.kind in ("secrets", "us_ssn"):
        return any(
            case.start <= hit.start and hit.end <= case.end and hit.end - hit.start > 7 for hit in hits
        )
    return any(hit.start <= case.start and case.end <= hit.end for hit in hits)


def _report_cost() -> list[bool]:
    held = []
    for kind in ("ordinary", "trigger"):
        for language in ("en", "de", "es"):
            text = _of_length([one for one in texts(kind) if one.language == language])
            spent = _microseconds(text)
            # Ordinary text is what is paid for every day; the words of attacks make rules look twice.
            ok = spent <= MOST_MICROSECONDS or kind != "ordinary"
            held.append(ok)
            bar = f"at most {MOST_MICROSECONDS:g}" if kind == "ordinary" else "no bar"
            what = f"{CHARACTERS} characters, {kind}, {language}"
            print(f"{_verdict(ok)} {what}: {spent:.0f} µs, all rules; {bar}")
    documents = "\n".join(path.read_text() for path in sorted(DOCUMENTS.rglob("*.md")))
    spent = _new_text(documents)
    print(f"ok     {CHARACTERS} characters of our documents, each seen once: {spent:.0f} µs; no bar")
    return held


def _new_text(text: str) -> float:
    """The mean over parts of a text that no rule has seen: RE2 builds its states as it reads."""
    parts = [text[place : place + CHARACTERS] for place in range(0, len(text), CHARACTERS)]
    began = time.process_time()
    for part in parts:
        evaluate(ALL, part)
    return (time.process_time() - began) / len(parts) * 1e6


def _of_length(some: Sequence[Text]) -> str:
    joined = "\n".join(some[number * 7 % len(some)].text for number in range(len(some)))
    return (joined * 2)[:CHARACTERS]


def _microseconds(text: str) -> float:
    """The best of some rounds, by processor time."""
    evaluate(ALL, text)
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(LOOKS):
            evaluate(ALL, text)
        best = min(best, (time.process_time() - began) / LOOKS)
    return best * 1e6


def _verdict(ok: bool) -> str:
    return "ok    " if ok else "FAILED"


if __name__ == "__main__":
    main(*sys.argv[1:])
