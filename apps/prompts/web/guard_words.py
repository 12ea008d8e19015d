"""Guardrails in words."""

from collections.abc import Mapping
from typing import Any

from apps.guardrails.words import ACTIONS, KINDS, SIDES
from apps.prompts.web.guard_form import CANARIES, SPOTLIGHTS

_SIDE_WORDS = {name: words.lower() for name, words in SIDES}


def guard_facts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a policy comes to: a line for each rule, and the switches that are on."""
    facts = [
        (
            KINDS[rule["kind"]][0] + ("" if rule["name"] == rule["kind"] else f" “{rule['name']}”"),
            f"{ACTIONS[rule['action']].lower()}, {_SIDE_WORDS[rule['on']]}",
        )
        for rule in values.get("rules", ())
    ]
    if values.get("spotlight"):
        facts.append(("Spotlighting", dict(SPOTLIGHTS)[values["spotlight"]["mode"]].lower()))
    if values.get("canary"):
        facts.append(("Canary", dict(CANARIES)[values["canary"]["action"]].lower()))
    if values.get("judge"):
        facts.append(("Judge", f"{values['judge']['model']}, {ACTIONS[values['judge']['action']].lower()}"))
    return facts or [("Rules", "none: everything goes through unseen")]
