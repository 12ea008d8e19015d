"""Whether the API keeps to its OpenAPI document: `python -m bench.api_conformance [examples an operation]`.

Web and gateway stand behind one origin, on a database of their own with one of everything. schemathesis makes
up requests from the document, good and bad, and applies all its checks: no 5xx, no status, header or body
that the document doesn't know, bad input refused, good input taken. It goes over everything with an API key
that holds every scope, then over what no key may do with the owner's session.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.own_database import own_database
from promptsaas.serving import Address, gateway_command, web_command

ROOT = Path(__file__).resolve().parent.parent
CONFIGURATION = ROOT / "bench" / "schemathesis.toml"
WANTED_CASES = 5_000
EXAMPLES = 60
REQUEST_SECONDS = 30
# What keys may not do, and members may.
SESSION_ONLY = (
    *("create_key", "update_key", "rotate_key", "revoke_key", "create_project"),
    *("create_invitation", "resend_invitation", "revoke_invitation", "update_member", "remove_member"),
    *("create_role", "update_role", "delete_role", "create_grant", "delete_grant"),
    *("create_provider", "update_provider", "delete_provider", "test_provider", "set_default_model"),
    *("create_price", "end_price", "list_audit_events", "get_audit_event"),
    *("create_alert", "update_alert", "acknowledge_alert", "mute_alert", "test_alert", "delete_alert"),
    *("acknowledge_incident", "set_incident_rule"),
    *("set_retention_policy", "clear_retention_policy", "list_retention_policies", "dry_run_retention"),
    *("place_legal_hold", "release_legal_hold", "list_legal_holds", "get_legal_hold"),
    *("create_erasure", "cancel_erasure", "list_erasures", "get_erasure", "get_erasure_certificate"),
    *("create_export", "delete_export", "list_exports", "get_export", "download_export"),
)


def main() -> int:
    """Run all checks and print schemathesis' own report; 1 for a failure or too few cases."""
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES
    with own_database(), tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        from bench.serving.ours import wait_until_ready  # noqa: PLC0415 - needs the settings

        key, session = prepare()
        web, origin = free_address(), free_address()
        web_process = stack.enter_context(served("web", web_command(web, workers=1, threads=8), web))
        gateway_process = stack.enter_context(served("gateway", gateway_command(origin, workers=1), web))
        wait_until_ready(web, web_process)
        wait_until_ready(origin, gateway_process)
        report = Path(folder) / "report.ndjson"
        status = run(origin, [f"Authorization: Bearer {key}"], examples, report)
        cases = count_cases(report)
        # Without its cookie a request is one of a stranger, which is told apart from one without a key.
        chosen = [f"--include-operation-id={name}" for name in SESSION_ONLY]
        status += run(origin, session, examples, report, *chosen, "--exclude-checks=ignored_auth")
        cases += count_cases(report)
    print(f"{cases:,} cases, {WANTED_CASES:,} wanted; {'ok' if not status else 'FAILED'}")
    return 1 if status or cases < WANTED_CASES else 0


def prepare() -> tuple[str, list[str]]:
    """A project with some of everything; the token of a key with every scope, the headers of a session."""
    from django.conf import settings  # noqa: PLC0415 - needs the settings
    from django.db import connections  # noqa: PLC0415
    from django.middleware.csrf import get_token  # noqa: PLC0415
    from django.test import Client, RequestFactory  # noqa: PLC0415

    from tests.factories import (  # noqa: PLC0415
        TENANT_FACTORIES,
        make_api_key,
        make_project,
        make_prompt,
        owner_of,
    )

    project = make_project()
    make_prompt(project=project, name="support/reply", versions=3, labels={"production": 2, "staging": 3})
    for make in TENANT_FACTORIES.values():
        make(project)
    token = make_api_key(project=project)[1]
    client = Client()
    client.force_login(owner_of(project.organization))
    secret = get_token(RequestFactory().get("/"))
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookies = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={secret}"
    connections.close_all()
    return token, [f"Cookie: {cookies}", f"X-CSRFToken: {secret}", f"Promptsaas-Project: {project.public_id}"]


def free_address() -> Address:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", int(probe.getsockname()[1]))


@contextmanager
def served(kind: str, command: Sequence[str], web: Address) -> Iterator["subprocess.Popen[bytes]"]:
    """A server process; the gateway passes on to `web` what is not its own."""
    environment = {
        **os.environ,
        "PROMPTSAAS_PROCESS": kind,
        "GATEWAY_REQUESTS_PER_MINUTE": "100000000",
        "API_REQUESTS_PER_MINUTE": "100000000",
        "WEB_UPSTREAM": f"http://{web.host}:{web.port}",
        "LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen(list(command), cwd=ROOT, env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=40)


def run(address: Address, headers: Sequence[str], examples: int, report: Path, *options: str) -> int:
    """schemathesis' exit status."""
    origin = f"http://{address.host}:{address.port}"
    command = [
        str(Path(sys.executable).with_name("st")),
        f"--config-file={CONFIGURATION}",
        "run",
        f"{origin}/api/v1/openapi.json",
        *(f"--header={header}" for header in headers),
        "--checks=all",
        f"--max-examples={examples}",
        f"--request-timeout={REQUEST_SECONDS}",
        # No text of ours may hold a NUL; a pattern for that on every string would hide what matters.
        "--generation-allow-x00=false",
        "--continue-on-failure",
        "--workers=2",
        "--no-color",
        "--report=ndjson",
        f"--report-ndjson-path={report}",
        *options,
        *sys.argv[2:],
    ]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def count_cases(report: Path) -> int:
    """Requests that were sent and judged."""
    cases = 0
    with report.open() as lines:
        for line in lines:
            event = json.loads(line)
            said = next(iter(event.values()), None)
            if isinstance(said, dict) and "recorder" in said:
                cases += len(said["recorder"].get("cases", {}))
    return cases


if __name__ == "__main__":
    sys.exit(main())
