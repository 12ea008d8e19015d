"""The peers, each installed from its registry into an environment of its own, and how each is asked.

`PEERS_FOLDER` names where they lie (`.promptsaas/peers` by default); what is missing is installed first.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx2
import orjson

from bench.serving.cores import SERVER_CORE, pinned
from bench.serving.ours import SYSTEM, USER, VARIABLES
from bench.serving.upstreams import ROOT, free_port, wait_for_port
from bench.serving.wrk import Call

LITELLM: Final = "1.106.2"
PORTKEY: Final = "1.15.2"
PHOENIX: Final = "20.26.1"
LITELLM_KEY: Final = "sk-bench-0123456789abcdef"
LITELLM_SETTINGS: Final = """
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "http://127.0.0.1:{port}/v1", api_key: sk-x}}
litellm_settings: {{num_retries: 0, request_timeout: 30}}
general_settings: {{master_key: {key}}}
"""
PROMPT: Final = "instant"


@dataclass(frozen=True)
class Peer:
    """A running peer."""

    name: str
    call: Call
    pid: int


def folder() -> Path:
    """Where the peers lie."""
    return Path(os.environ.get("PEERS_FOLDER") or ROOT / ".promptsaas" / "peers").resolve()


def install() -> None:
    """Install what is not there. Raises CalledProcessError."""
    home = folder()
    home.mkdir(parents=True, exist_ok=True)
    _environment(home / "litellm", [f"litellm[proxy]=={LITELLM}", "httptools"])
    _environment(home / "phoenix", [f"arize-phoenix=={PHOENIX}"])
    if not _portkey(home).exists():
        package = f"@portkey-ai/gateway@{PORTKEY}"
        subprocess.run(["npm", "install", "-q", "-g", "--prefix", str(home / "npm"), package], check=True)


def _environment(place: Path, packages: list[str]) -> None:
    if (place / "installed").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    subprocess.run([str(place / "bin" / "pip"), "install", "-q", *packages], check=True)
    (place / "installed").touch()


def _portkey(home: Path) -> Path:
    return home / "npm/lib/node_modules/@portkey-ai/gateway/build/start-server.js"


def chat_file(place: Path) -> Path:
    """The messages that our prompt renders to, as a plain chat completion."""
    rendered = USER.replace("{{ message }}", VARIABLES["message"]).replace("{{ name }}", VARIABLES["name"])
    body = {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": SYSTEM.replace("{{ company }}", VARIABLES["company"])},
            {"role": "user", "content": rendered},
        ],
        "temperature": 0.2,
        "max_tokens": 64,
    }
    path = place / "chat.json"
    path.write_bytes(orjson.dumps(body))
    return path


@contextmanager
def litellm(upstream: int, place: Path) -> Iterator[Peer]:
    """LiteLLM's proxy with a key, without a database: nothing is recorded."""
    settings = place / "litellm.yaml"
    settings.write_text(LITELLM_SETTINGS.format(port=upstream, key=LITELLM_KEY))
    port = free_port()
    program = str(folder() / "litellm/bin/litellm")
    told = ["--config", str(settings), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environment = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_TELEMETRY": "False",
    }
    with _running([program, *told, "--telemetry", "False"], port, environment, place) as pid:
        yield _chat_peer(
            "LiteLLM proxy, no database", port, place, pid, f"Authorization: Bearer {LITELLM_KEY}"
        )


@contextmanager
def portkey(upstream: int, place: Path) -> Iterator[Peer]:
    """Portkey's gateway: no authentication, nothing is recorded."""
    port = free_port()
    command = ["node", str(_portkey(folder())), f"--port={port}", "--headless"]
    with _running(command, port, {"NODE_ENV": "production"}, place) as pid:
        yield _chat_peer(
            "Portkey gateway",
            port,
            place,
            pid,
            "x-portkey-provider: openai",
            f"x-portkey-custom-host: http://127.0.0.1:{upstream}/v1",
            "Authorization: Bearer sk-x",
        )


@contextmanager
def phoenix(place: Path) -> Iterator[Peer]:
    """Phoenix' prompt by tag, on the database it brings along."""
    port, grpc = free_port(), free_port()
    environment = {
        "PHOENIX_WORKING_DIR": str(place / "phoenix"),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc),
    }
    with _running([str(folder() / "phoenix/bin/phoenix"), "serve"], port, environment, place) as pid:
        address = f"http://127.0.0.1:{port}"
        _make_phoenix_prompt(address)
        yield Peer("Phoenix", Call(address, "GET", f"/v1/prompts/{PROMPT}/tags/production"), pid)


def _make_phoenix_prompt(address: str) -> None:
    version = {
        "model_provider": "OPENAI",
        "model_name": "gpt-4o-mini",
        "template_type": "CHAT",
        "template_format": "MUSTACHE",
        "template": {
            "type": "chat",
            "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": USER}],
        },
        "invocation_parameters": {"type": "openai", "openai": {"temperature": 0.2, "max_tokens": 64}},
    }
    with httpx2.Client(base_url=address, timeout=60, trust_env=False) as client:
        made = client.post("/v1/prompts", json={"prompt": {"name": PROMPT}, "version": version})
        made.raise_for_status()
        tag = f"/v1/prompt_versions/{made.json()['data']['id']}/tags"
        client.post(tag, json={"name": "production"}).raise_for_status()


def _chat_peer(name: str, port: int, place: Path, pid: int, *headers: str) -> Peer:
    call = Call(f"http://127.0.0.1:{port}", "POST", "/v1/chat/completions", chat_file(place), headers)
    return Peer(name, call, pid)


@contextmanager
def _running(command: list[str], port: int, environment: dict[str, str], place: Path) -> Iterator[int]:
    log = place / "peer.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            pinned(SERVER_CORE, command),
            cwd=place,
            env={**_plain_environment(), **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        try:
            wait_for_port(port, process, seconds=180)
        except RuntimeError:
            raise RuntimeError(f"{command[0]} did not start: {log.read_text()[-800:]}") from None
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _plain_environment() -> dict[str, str]:
    """Without what points Django, or a Python of ours, at this product."""
    ours = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in ours}
