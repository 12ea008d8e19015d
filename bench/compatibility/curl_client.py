"""Checks with curl: what a person types by hand. Each raises where something is wrong."""

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bench.compatibility.places import MODELS, PROMPT, Place

Check = tuple[str, Callable[[], Any]]


def checks(place: Place) -> Iterator[Check]:
    """Every check by its name."""
    for models in MODELS:
        yield f"chat, whole and streamed, {models.name}", partial(_chat, place, models.talks)
        yield (
            f"responses, whole and streamed, {models.name}",
            partial(_response, place, models.talks),
        )
    yield "run API, whole and streamed", lambda: _run(place)
    yield "errors in one shape", lambda: _error(place)


def _chat(place: Place, model: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    assert json.loads(_curl(place, "/v1/chat/completions", body))["choices"][0]["message"]["content"]
    lines = _curl(place, "/v1/chat/completions", body | {"stream": True}).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]


def _response(place: Place, model: str) -> None:
    body = {"model": model, "input": "Hello"}
    assert json.loads(_curl(place, "/v1/responses", body))["status"] == "completed"
    events = _curl(place, "/v1/responses", body | {"stream": True}).strip().split("\n\n")
    assert events[0].startswith("event: response.created\ndata: ")
    assert events[-1].startswith("event: response.completed\ndata: ")


def _run(place: Place) -> None:
    body = {"variables": {"name": "Ada"}, "overrides": {"temperature": 0}, "unit": "case-7", "user": "ada"}
    assert json.loads(_curl(place, f"/api/v1/prompts/{PROMPT}/run", body))["status"] == "succeeded"
    assert "event: run.completed" in _curl(place, f"/api/v1/prompts/{PROMPT}/run", body | {"stream": True})


def _error(place: Place) -> None:
    error = json.loads(_curl(place, "/v1/responses", {"model": "sandbox/standard", "input": 7}))["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "input")


def _curl(place: Place, path: str, body: dict[str, Any]) -> str:
    command = ["curl", "--silent", "--no-buffer", "--max-time", "30", place.url + path]
    command += ["-H", f"Authorization: Bearer {place.token}", "-H", "Content-Type: application/json"]
    done = subprocess.run([*command, "-d", json.dumps(body)], capture_output=True, text=True, check=True)
    return done.stdout
