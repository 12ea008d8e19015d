"""A file of OpenAI's batch API at its limits: `python -m bench.openai_files [requests] [megabytes]`.

200 MB with 50,000 requests go through the real web process, are checked and made rows by a worker, and their
answers become the output file; printed are seconds and the most memory that each process held. The answers
are put into the database as they lie there after their runs: `bench.batches` measures those.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Final
from uuid import UUID

import httpx2
import orjson

from bench.own_database import own_database
from bench.serving.upstreams import free_port
from promptsaas.serving import Address, web_command

ROOT: Final = Path(__file__).resolve().parent.parent
REQUESTS: Final = 50_000
MEGABYTES: Final = 199
MOST_MEMORY: Final = 250
CHAT: Final = "/v1/chat/completions"

# What lies there when every row has been answered.
_ANSWER_ALL: Final = """
INSERT INTO batches_batchitem (
    id, organization_id, batch_id, number, status, round, attempts, fence, output, output_truncated,
    error_code, error_message, finish_reason, cost_status, cost_reserved, finished_at
)
SELECT gen_random_uuid(), %(organization)s, %(batch)s, number, 'succeeded', 0, 1, 1, 'Fine.', FALSE,
       '', '', 'stop', 'sandbox', 0, now()
FROM generate_series(1, %(rows)s) AS number;
INSERT INTO batches_openaianswer (id, organization_id, batch_id, number, run_id, status_code, body)
SELECT gen_random_uuid(), %(organization)s, %(batch)s, number, gen_random_uuid(), 200, %(body)s::bytea
FROM generate_series(1, %(rows)s) AS number;
UPDATE batches_batchjob
SET status = 'completed', pending = 0, succeeded = total, next_number = total + 1, completed_at = now()
WHERE id = %(batch)s
"""
_TURN: Final = """
import resource, sys, uuid, django
django.setup()
from apps.batches.services.openai_advancing import advance
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert advance(uuid.UUID(sys.argv[1])), "nothing was due"
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, before // 1024)
"""


def main() -> int:
    """Print the figures; 1 where a process held more than 250 MB."""
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else MEGABYTES
    with own_database(), ExitStack() as stack:
        from tests.factories import make_api_key, make_project  # noqa: PLC0415 - needs the settings

        project = make_project()
        token = make_api_key(project=project)[1]
        url, process = stack.enter_context(_web())
        client = stack.enter_context(
            httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=120)
        )
        _line("before", 0, _peak(process.pid))
        batch, seconds = _upload(client, requests, megabytes)
        memory = [_line("upload", seconds, _peak(process.pid))]
        memory.append(_turn("check and make rows", batch))
        _answer(project.organization_id, batch, requests)
        memory.append(_turn("write the answers", batch))
        memory.append(_download(client, batch, process.pid))
    worst = max(memory)
    print(f"most memory {worst} MB, at most {MOST_MEMORY}: {'ok' if worst <= MOST_MEMORY else 'MISSED'}")
    return int(worst > MOST_MEMORY)


@contextmanager
def _web() -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    from bench.serving.ours import wait_until_ready  # noqa: PLC0415 - needs the settings

    address = Address("127.0.0.1", free_port())
    process = subprocess.Popen(web_command(address, workers=1, threads=4), cwd=ROOT)
    try:
        wait_until_ready(address, process)
        yield f"http://{address.host}:{address.port}", process
    finally:
        process.terminate()
        process.wait(timeout=40)


def _upload(client: httpx2.Client, requests: int, megabytes: int) -> tuple[UUID, float]:
    from apps.batches.openai import queries  # noqa: PLC0415 - needs the settings

    with tempfile.TemporaryFile() as file:
        _write_requests(file, requests, megabytes)
        print(f"{requests:,} requests, {file.tell() / 1024**2:.0f} MB")
        file.seek(0)
        started = time.perf_counter()
        answer = client.post("/v1/files", files={"file": ("requests.jsonl", file)}, data={"purpose": "batch"})
        seconds = time.perf_counter() - started
    uploaded = answer.raise_for_status().json()
    asked = {"input_file_id": uploaded["id"], "endpoint": CHAT, "completion_window": "24h"}
    batch = client.post("/v1/batches", json=asked).raise_for_status().json()
    batch_id = queries.batch_id_of(batch["id"])
    assert batch_id is not None
    return batch_id, seconds


def _write_requests(file: IO[bytes], requests: int, megabytes: int) -> None:
    text = "x" * max(0, megabytes * 1024**2 // requests - 160)
    for number in range(requests):
        body = {"model": "sandbox/standard", "messages": [{"role": "user", "content": text}]}
        line = {"custom_id": f"row-{number}", "method": "POST", "url": CHAT, "body": body}
        file.write(orjson.dumps(line) + b"\n")


def _turn(name: str, batch_id: UUID) -> int:
    """A worker's turn in a process of its own; returns its memory in MB."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _TURN, str(batch_id)], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    return _line(name, time.perf_counter() - started, int(done.stdout.split()[0]))


def _answer(organization_id: UUID, batch_id: UUID, rows: int) -> None:
    from django.db import connection  # noqa: PLC0415 - needs the settings

    from apps.core.scope import system_scope  # noqa: PLC0415

    body = orjson.dumps({"object": "chat.completion", "choices": [{"message": {"content": "y" * 2000}}]})
    names: dict[str, Any] = {"organization": organization_id, "batch": batch_id, "rows": rows, "body": body}
    with system_scope(), connection.cursor() as cursor:
        for statement in _ANSWER_ALL.split(";"):
            cursor.execute(statement, names)


def _download(client: httpx2.Client, batch_id: UUID, pid: int) -> int:
    from apps.batches.openai_models import OpenAIBatch  # noqa: PLC0415 - needs the settings

    batch = client.get(f"/v1/batches/{OpenAIBatch(id=batch_id).public_id}").raise_for_status().json()
    assert batch["status"] == "completed", batch
    started, size = time.perf_counter(), 0
    with client.stream("GET", f"/v1/files/{batch['output_file_id']}/content") as answer:
        for chunk in answer.iter_raw():
            size += len(chunk)
    return _line(f"download {size / 1024**2:.0f} MB", time.perf_counter() - started, _peak(pid))


def _peak(pid: int) -> int:
    """The most memory that a process or one of its children has held, in MB."""
    children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return max(_high_water(each) for each in [pid, *children])


def _high_water(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def _line(name: str, seconds: float, memory: int) -> int:
    print(f"{name:24} {seconds:7.1f} s  {memory:5} MB", flush=True)
    return memory


if __name__ == "__main__":
    sys.exit(main())
