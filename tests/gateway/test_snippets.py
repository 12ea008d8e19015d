"""The calls that a prompt's pages offer to copy, run as they stand against the gateway."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import pytest

from apps.core.scope import organization_scope
from apps.prompts import queries
from apps.prompts.snippets import calls
from apps.runs.models import Run
from apps.tenants.models import Project
from tests.factories import make_api_key, make_content, make_project, make_prompt

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def project() -> Project:
    return make_project()


def run(command: list[str], token: str, text: str = "") -> str:
    """What a program prints, with the key where the calls look for it."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PROMPTSAAS_KEY": token}
    done = subprocess.run(
        command, input=text, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("key", ["curl", "python", "node"])
def test_snippet__copied_as_it_stands__gets_an_answer(
    gateway_url: str, project: Project, key: str, tmp_path: Path
) -> None:
    program = {"curl": "curl", "python": sys.executable, "node": "node"}[key]
    if which(program) is None:
        pytest.skip(f"{program} is not installed")
    variables = ({"name": "who", "type": "text", "required": True, "sample": 'O\'Neill & "co"'},)
    content = make_content("Greet {{ who }} by {{ channel }}", variables=variables)
    prompt = make_prompt(project=project, name="team's/hello", content=content, labels={"production": 1})
    _, token = make_api_key(project=project)
    with organization_scope(project.organization_id):
        version = queries.latest_version(prompt)
    snippet = {
        call["key"]: call["text"] for call in calls(gateway_url, "team's/hello@production", version.variables)
    }[key]
    if key == "curl":
        answer = run(["bash", "-c", snippet.replace("curl ", "curl -sS ", 1)], token)
    elif key == "python":
        answer = run([program, "-"], token, snippet)
    else:
        # Without the client from npm: that the text is a program, and what it would send.
        script = tmp_path / "call.mjs"
        script.write_text(snippet.replace('import OpenAI from "openai";', _NODE_CLIENT))
        answer = run([program, str(script)], token)
    assert answer.strip()
    assert '"error"' not in answer
    with organization_scope(project.organization_id):
        [ran] = Run.objects.all()
    assert (ran.prompt_name, ran.label, ran.status) == ("team's/hello", "production", "succeeded")


_NODE_CLIENT = """
class OpenAI {
  constructor({ baseURL, apiKey }) {
    const create = async (body) => {
      const answer = await fetch(`${baseURL}/chat/completions`, {
        method: "POST",
        headers: { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      return answer.json();
    };
    this.chat = { completions: { create } };
  }
}
"""
