"""Our side: a project with everything on that a customer would have on, and one gateway on one core."""

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from bench.serving.cores import OTHER_CORE, SERVER_CORE, pin, pinned
from bench.serving.upstreams import ROOT, Upstreams, free_port
from bench.serving.wrk import Call
from promptsaas.embedded import status
from promptsaas.serving import Address, gateway_command

START_SECONDS: Final = 90.0
LARGE: Final = 10**9
SYSTEM: Final = "You are a helpful assistant of {{ company }}. Answer in one line, politely and to the point."
USER: Final = "A customer writes: {{ message }}\nSay hello to {{ name }} and answer."
VARIABLES: Final = {
    "company": "Acme",
    "name": "Ada",
    "message": "Good morning, my parcel was due on Tuesday and hasn't come yet. Could you please look where "
    "it is? I ordered two lamps and a chair, and I would like to have at least the chair before the weekend. "
    "If that can't be done, tell me how to cancel the order. Thank you very much for your help, kind regards",
}
# Each rule that a careful customer would switch on; a flag, since a block would end the run early.
GUARDRAILS: Final[dict[str, Any]] = {
    "rules": [
        {"kind": "injection", "on": "input", "action": "flag"},
        {
            "kind": "pii",
            "types": ["email", "phone", "card", "iban", "ip", "secrets"],
            "on": "both",
            "action": "flag",
        },
        {"kind": "deny_list", "words": ["competitor", "lawsuit"], "on": "both", "action": "flag"},
        {"kind": "length", "most_characters": 100_000, "on": "input", "action": "block"},
    ]
}


@dataclass(frozen=True)
class Prepared:
    """What stands in the database: a key's token; prompts bench0 … at the three upstreams by label."""

    token: str


def prepare(ports: Upstreams, *, cap: int = LARGE) -> Prepared:
    """A project with prompts in production at each upstream, guardrails, limits, a monthly quota of `cap`."""
    from django.conf import settings  # noqa: PLC0415 - needs the settings
    from django.db import connections  # noqa: PLC0415

    from tests.factories import make_api_key, make_project  # noqa: PLC0415
    from tests.factories.providers import make_connection, make_price  # noqa: PLC0415

    settings.OUTBOUND_ALLOWED_HOSTS = allowed_hosts(ports).split(",")
    project = make_project()
    for name, port in (
        ("instant", ports.instant),
        ("waiting", ports.waiting),
        ("streaming", ports.streaming),
    ):
        make_connection(project=project, name=name, base_url=f"http://127.0.0.1:{port}/v1")
    make_price(project=project, pattern="*/gpt-4o-mini", input_price="0.15", output_price="0.60")
    _make_prompts(project)
    _set_limits(project, cap)
    token = make_api_key(project=project)[1]
    connections.close_all()
    return Prepared(token)


def _make_prompts(project: Any) -> None:
    from tests.factories import make_content, make_prompt  # noqa: PLC0415

    for name in ("instant", "waiting", "streaming"):
        content = make_content(
            USER,
            system=SYSTEM,
            variables=tuple(
                {"name": each, "type": "text", "required": True} for each in ("company", "name", "message")
            ),
            model=f"{name}/gpt-4o-mini",
            parameters={"temperature": 0.2, "max_tokens": 64},
        )
        make_prompt(project=project, name=name, content=content, labels={"production": 1})


def _set_limits(project: Any, cap: int) -> None:
    from datetime import UTC, datetime  # noqa: PLC0415

    from apps.billing import plans  # noqa: PLC0415
    from apps.billing.models import Quota  # noqa: PLC0415
    from apps.core.scope import organization_scope, system_scope  # noqa: PLC0415
    from apps.prompts.models import Prompt, ServingPolicy  # noqa: PLC0415

    with system_scope():
        Quota.all_organizations.create(
            organization_id=project.organization_id,
            meter=plans.RUNS,
            period_start=plans.period_start(datetime.now(UTC)),
            cap=cap,
        )
    with organization_scope(project.organization_id):
        ServingPolicy.objects.create(
            organization_id=project.organization_id,
            project=project,
            guardrails=GUARDRAILS,
            limits={"requests_per_minute": LARGE, "tokens_per_minute": LARGE},
        )
        assert Prompt.objects.filter(project=project).count() == 3


@contextmanager
def gateway(
    ports: Upstreams, *, core: int | None = SERVER_CORE, port: int | None = None, **environment: str
) -> Iterator[tuple[Address, int]]:
    """One gateway process, on a free port without `port`, and its pid.

    On a core of its own the database servers go to the other one.
    """
    if core is not None:
        move_servers()
    address = Address("127.0.0.1", port or free_port())
    told = {
        **os.environ,
        "PROMPTSAAS_PROCESS": "gateway",
        "GATEWAY_REQUESTS_PER_MINUTE": str(LARGE),
        "OUTBOUND_ALLOWED_HOSTS": allowed_hosts(ports),
        "LOG_LEVEL": "WARNING",
        **environment,
    }
    command = gateway_command(address, workers=1)
    process = subprocess.Popen(command if core is None else pinned(core, command), cwd=ROOT, env=told)
    try:
        wait_until_ready(address, process)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=40)


def allowed_hosts(ports: Upstreams) -> str:
    """The operator's exceptions from "public addresses only": the upstreams."""
    return ",".join(f"127.0.0.1:{port}" for port in ports.ports)


def move_servers() -> None:
    """Put this process, Postgres and Valkey on the core that the server under test does not have."""
    for pid in status("bench").values():
        if pid is not None:
            pin(pid, OTHER_CORE)
    pin(os.getpid(), OTHER_CORE)


def wait_until_ready(address: Address, process: "subprocess.Popen[bytes]") -> None:
    """Return when /readyz answers 200. Raises RuntimeError when the process ends or takes too long."""
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{address.host}:{address.port}/readyz", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the gateway did not start")


def chat_call(address: Address, prepared: Prepared, folder: Path, prompt: str = "instant") -> Call:
    """A chat completion of a prompt in production."""
    body = folder / f"chat-{prompt}.json"
    body.write_bytes(orjson.dumps(chat_body(prompt)))
    return Call(
        f"http://{address.host}:{address.port}",
        "POST",
        "/v1/chat/completions",
        body,
        (f"Authorization: Bearer {prepared.token}",),
    )


def chat_body(prompt: str, *, stream: bool = False) -> dict[str, Any]:
    """The body of that call."""
    return {
        "model": f"prompt:{prompt}@production",
        "messages": [],
        "variables": VARIABLES,
        **({"stream": True} if stream else {}),
    }


def fetch_call(address: Address, prepared: Prepared) -> Call:
    """A fetch of a prompt by its label."""
    return Call(
        f"http://{address.host}:{address.port}",
        "GET",
        "/api/v1/prompts/instant?label=production",
        None,
        (f"Authorization: Bearer {prepared.token}",),
    )
