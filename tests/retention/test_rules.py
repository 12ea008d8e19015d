"""At boundary instants, with overrides and holds, a purge deletes exactly what a plain oracle says."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.scope import organization_scope, system_scope
from apps.prompts.queries import latest_version, resolved
from apps.retention import queries, rules
from apps.retention.models import DataClass
from apps.retention.queries import created_at
from apps.retention.rules import Row
from apps.runs.models import Run, RunPayload, UncountedRuns
from tests.factories import make_hold, make_policy, make_project, make_prompt, make_run
from tests.retention.support import NOW, kept, purge

UNSET = "unset"
PLAN = {"payloads": 90, "facts": 400}
LIMITS = st.sampled_from([UNSET, None, 1, 30, 90])
CASES = st.fixed_dictionaries(
    {
        "payloads": st.tuples(LIMITS, LIMITS),
        "facts": st.tuples(LIMITS, LIMITS),
        "held": st.sets(st.sampled_from(["project", "prompt", "other project"])),
        "rows": st.lists(
            st.tuples(
                st.sampled_from([1, 30, 90, 400]),
                st.sampled_from([-1, 0, 1]),
                st.booleans(),
                st.booleans(),
            ),
            min_size=2,
            max_size=5,
            unique=True,
        ),
    }
)


def _set(given: Any, longest: int) -> int | None:
    """The oracle's days of one class, from (organization, own) and the plan, spelled out."""
    everywhere, own = given
    if own != UNSET:
        chosen = own
    elif everywhere != UNSET:
        chosen = everywhere
    else:
        chosen = None
    if chosen is None or chosen > longest:
        return longest
    return int(chosen)


def _oracle(case: Any, of_prompt: bool, in_project: bool, made: datetime) -> tuple[bool, bool]:
    """Whether content and facts of a run stay."""
    held = case["held"]
    if in_project and ("project" in held or ("prompt" in held and of_prompt)):
        return True, True
    if not in_project and "other project" in held:
        return True, True
    own = 1 if in_project else 0
    facts = _set((case["facts"][0], case["facts"][own] if in_project else UNSET), PLAN["facts"])
    payloads = _set((case["payloads"][0], case["payloads"][own] if in_project else UNSET), PLAN["payloads"])
    assert facts is not None
    assert payloads is not None
    age = NOW - made
    facts_stay = age < timedelta(days=facts)
    return facts_stay and age < timedelta(days=payloads), facts_stay


def _decided(run: Run) -> tuple[bool, bool]:
    """What the pure decision says of a run's content and facts: whether each is due."""
    with organization_scope(run.organization_id):
        found = queries.load_settings(run.organization_id)
    rows = (
        Row(data_class, created_at(run.pk), run.project_id, run.prompt_id)
        for data_class in (DataClass.RUN_PAYLOADS, DataClass.RUN_FACTS)
    )
    content, facts = (rules.is_due(found, row, NOW) for row in rows)
    return content, facts


@pytest.mark.django_db(transaction=True)
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(case=CASES)
def test_purge__of_any_runs_at_their_boundary__agrees_with_the_oracle(case: Any) -> None:
    project = make_project()
    other = make_project(organization=project.organization, name="Other")
    prompt = make_prompt(project=project)
    with organization_scope(project.organization_id):
        version = resolved(prompt, latest_version(prompt))
    for name, data_class in (("payloads", DataClass.RUN_PAYLOADS), ("facts", DataClass.RUN_FACTS)):
        for days, owner in zip(case[name], (None, project), strict=True):
            if days != UNSET:
                make_policy(
                    organization=project.organization, data_class=data_class, days=days, project=owner
                )
    holds = {"project": (project, None), "prompt": (project, prompt), "other project": (other, None)}
    for name in sorted(case["held"]):
        make_hold(project=holds[name][0], prompt=holds[name][1])
    content, facts = set(), set()
    for days, offset, of_prompt, in_project in case["rows"]:
        owner = project if in_project else other
        at = NOW - timedelta(days=days) + timedelta(milliseconds=offset)
        run = make_run(project=owner, at=at, prompt=version if of_prompt and in_project else None)
        keeps = _oracle(case, of_prompt, in_project, created_at(run.pk))
        content |= {run.pk} if keeps[0] else set()
        facts |= {run.pk} if keeps[1] else set()
        assert _decided(run) == (not keeps[0], not keeps[1])
    with system_scope():
        UncountedRuns.all_organizations.all().delete()
    would = queries.dry_run(project.organization, NOW)
    total = len(case["rows"])
    assert would.total(DataClass.RUN_PAYLOADS) == total - len(content)
    assert would.total(DataClass.RUN_FACTS) == total - len(facts)
    purge(project.organization)
    assert (kept(project, RunPayload), kept(project, Run)) == (content, facts)
