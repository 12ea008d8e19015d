"""What a gateway does with the runs in flight when it is told to stop."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from apps.core.scope import organization_scope
from apps.runs.models import Run
from tests.factories import make_api_key, make_project
from tests.support.gateway import running_gateway

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def _body(latency_ms: int) -> dict[str, Any]:
    return {
        "model": "sandbox/fast",
        "messages": [{"role": "user", "content": "Hello"}],
        "sandbox_latency_ms": latency_ms,
    }


def _post(url: str, token: str, latency_ms: int) -> httpx2.Response | httpx2.TransportError:
    headers = {"Authorization": f"Bearer {token}"}
    try:
        return httpx2.post(f"{url}/v1/chat/completions", json=_body(latency_ms), headers=headers, timeout=40)
    except httpx2.TransportError as error:
        return error


def test_shutdown__with_runs_in_flight__ends_the_short_and_records_the_long(tmp_path: Path) -> None:
    project = make_project()
    token = make_api_key(project=project)[1]
    with ThreadPoolExecutor(2) as pool, running_gateway(tmp_path) as gateway:
        assert isinstance(_post(gateway.url, token, 0), httpx2.Response)
        short = pool.submit(_post, gateway.url, token, 1_500)
        long = pool.submit(_post, gateway.url, token, 50_000)
        with pytest.raises(TimeoutError):
            short.exception(timeout=0.7)
        gateway.process.terminate()
        answer = short.result()
        gateway.process.wait(timeout=30)
        long.result()
    assert isinstance(answer, httpx2.Response)
    assert answer.status_code == 200
    with organization_scope(project.organization_id):
        statuses = sorted(Run.objects.values_list("status", flat=True))
    assert statuses == ["cancelled", "succeeded", "succeeded"]
