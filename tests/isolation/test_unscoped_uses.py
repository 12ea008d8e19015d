"""Who looks across organizations: the whole list, with the reason. Anything new is added here on purpose."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ALLOWED = {
    "apps/analytics/alerts/watching.py": "the job finds the due rules of every organization",
    "apps/analytics/incidents/reading.py": "a look reads the segments of every organization",
    "apps/analytics/incidents/watching.py": "a look is at the versions of every organization",
    "apps/audit/cutting.py": "a chain is cut, and its events go, in the system scope",
    "apps/audit/models.py": "declares the manager on tables that also hold platform events",
    "apps/audit/queries.py": "verification walks every chain, in the system scope",
    "apps/audit/sealing.py": "the sealer chains every organization's events",
    "apps/batches/provider_batches/records.py": "a worker finds whose batch it was rung for",
    "apps/batches/services/openai_advancing.py": "a worker finds whose batch it was rung for",
    "apps/batches/services/openai_files.py": "the purge of expired files",
    "apps/batches/services/openai_ringing.py": "the sweeper finds batches that no worker has gone on with",
    "apps/batches/services/preparing_work.py": "a worker finds whose rows it was rung for",
    "apps/batches/services/scale_tests.py": "the sweeper finds scale tests whose batch has ended",
    "apps/batches/services/purging.py": "gives up rows that were taken for no batch, of every organization",
    "apps/batches/sweeping.py": "the sweeper finds abandoned work of every organization",
    "apps/core/admin.py": "staff pages, in the system scope",
    "apps/core/files.py": "the purge of expired files",
    "apps/core/idempotency.py": "the purge of expired keys",
    "apps/core/models.py": "declares the manager",
    "apps/datasets/services/import_work.py": "a worker finds whose upload it was rung for",
    "apps/datasets/services/purging.py": "the purge of deleted datasets",
    "apps/notifications/claiming.py": "finds endpoints at which deliveries are due",
    "apps/notifications/jobs.py": "deletes old deliveries",
    "apps/retention/erasure/bell.py": "the sweeper of erasures finds what is due in every organization",
    "apps/retention/erasure/datasets.py": "erasure changes rows that no member may, in the system scope",
    "apps/retention/erasure/members.py": "erasure changes rows that no member may, in the system scope",
    "apps/retention/erasure/openai_batches.py": "erasure deletes what no member may, in the system scope",
    "apps/retention/erasure/organizations.py": "a whole organization is deleted, in the system scope",
    "apps/retention/erasure/runs.py": "erasure changes rows that no member may, in the system scope",
    "apps/retention/erasure/traces.py": "erasure deletes what no member may, in the system scope",
    "apps/retention/erasure/waiting.py": "erases what waits, under a request of erasure",
    "apps/retention/erasure/work.py": "the work on an erasure begins in the system scope",
    "apps/retention/exports/bell.py": "the sweeper of archives finds what waits in every organization",
    "apps/retention/exports/writing.py": "finds whose archive it is, which names its scope",
    "apps/retention/queries.py": "policies and holds, which the purge reads for each organization",
    "apps/retention/services/purging.py": "the purge carries out every organization's policies",
    "apps/runs/background/sweeping.py": "ends and deletes background runs that nobody will carry out",
    "apps/tenants/access.py": "the doors: API key, and session to memberships",
    "apps/tenants/invitation_door.py": "the door of invitations: a link's token names no organization",
}


def _uses(path: Path) -> bool:
    tree = ast.parse(path.read_text())
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "all_organizations")
        or (isinstance(node, ast.Name) and node.id == "all_organizations")
        or (isinstance(node, ast.Constant) and node.value == "all_organizations")
        for node in ast.walk(tree)
    )


def _users() -> set[str]:
    paths = [path for folder in ("apps", "promptsaas") for path in (ROOT / folder).rglob("*.py")]
    named = {path.relative_to(ROOT).as_posix() for path in paths if _uses(path)}
    return {name for name in named if "/migrations/" not in name}


def test_all_organizations__its_users__are_the_listed_ones() -> None:
    assert _users() == set(ALLOWED)


def test_session__begins__in_one_place_only() -> None:
    """Every way to sign in runs through the adapter's ``login``; nobody calls Django's own."""
    callers = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "apps").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module == "django.contrib.auth"
        and {alias.name for alias in node.names} & {"login", "authenticate"}
    }
    assert callers == set()
