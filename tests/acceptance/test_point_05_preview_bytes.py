"""Point 5: the preview is byte for byte what the API renders and what the provider receives."""

import html as html_text
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from apps.datasets.mapping import RowValues
from tests.factories import (
    make_api_key,
    make_connection,
    make_content,
    make_dataset_version,
    make_project,
    make_prompt,
)
from tests.fake_provider import FakeProvider, fake_provider
from tests.prompts.web_support import Web
from tests.support.gateway import running_gateway

__all__ = ["fake_provider"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SYSTEM = """  Leading blanks, trailing blanks  \n
{% if order %}Order {{ order.id }} <{{ order.total }}> & “{{ order.note }}”{% endif %}
{%- for item in items %}
- {{ loop.index }}: {{ item }}
{%- endfor %}
\tTab, {literal braces}, {{ '{{' }} and emoji 👩‍👩‍👧 \u2028 end\n"""
VALUES: dict[str, Any] = {
    "order": {"id": "A-1", "total": 12.5, "note": "<script>alert('x')</script>\r\nsecond line"},
    "items": ["first", None, {"a": [True], "b": 1}],
    "review": "\n\nIt broke {{ not_a_variable }}.\r\n\r\n  “ünï” \u00a0\u200b\n",
}


def previewed(page: str) -> list[str]:
    """The texts of the preview as a browser reads them: without the first line end of a <pre>."""
    found = re.findall(r"<pre[^>]*data-preview>(.*?)</pre>", page, re.DOTALL)
    read = [each.replace("\r\n", "\n").replace("\r", "\n") for each in found]
    return [html_text.unescape(each.removeprefix("\n")) for each in read]


def test_point_05__preview__is_byte_for_byte_what_is_rendered_and_sent(
    fake_provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    make_connection(project=project, name="local", base_url=fake_provider.base_url, models=("*",))
    variables = tuple({"name": name, "type": "json"} for name in ("order", "items"))
    content = make_content("{{ review }}", system=SYSTEM, variables=variables, model="local/echo")
    prompt = make_prompt(project=project, name="exact", content=content, labels={"production": 1})
    rows = [RowValues({"review": "other", "order": None, "items": []}, None, {}), RowValues(VALUES, None, {})]
    dataset = make_dataset_version(project=project, rows=rows)
    web = Web(project)
    form = {
        "role": ["system", "user"],
        "content": [SYSTEM, "{{ review }}"],
        "variable": ["order", "items", "review"],
        "type": ["json", "json", "text"],
        "need": ["required"] * 3,
        "default": [""] * 3,
        "sample": [""] * 3,
        "state": ["declared"] * 3,
        "model": "local/echo",
        "dataset": dataset.public_id,
        "row": "2",
    }
    shown = previewed(web.post(f"{prompt.public_id}/preview/", form)[1])

    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", fake_provider.host)
    headers = {"Authorization": f"Bearer {make_api_key(project=project)[1]}"}
    with running_gateway(tmp_path) as gateway, httpx2.Client(base_url=gateway.url, headers=headers) as client:
        path = "/api/v1/prompts/exact"
        rendered = client.post(f"{path}/render", json={"variables": VALUES}).json()["messages"]
        assert client.post(f"{path}/run", json={"variables": VALUES}).status_code == 200

    sent = fake_provider.body()["messages"]
    assert [each["content"].encode() for each in sent] == [each.encode() for each in shown]
    assert [each["content"].encode() for each in rendered] == [each.encode() for each in shown]
    assert "\r\n" in shown[0]
    assert "not_a_variable" in shown[1]
