"""Findings on a change, the worst first, each with its line."""

from typing import Final

from apps.dashboard.gallery.example import (
    SANDBOX_MODEL,
    Example,
    TestRow,
    messages,
    schema,
    text,
    variable,
)
from apps.prompts.types import VersionContent

_SYSTEM: Final = """
You review a change in {{ language }} for a colleague.

Look, in this order, for: wrong results, lost or leaked data, security, races, errors that are swallowed,
speed where it matters, names that mislead. Leave formatting to tools.
{%- if rules %}

Rules of this team:
{%- for rule in rules %}
- {{ rule }}
{%- endfor %}
{%- endif %}

- A finding names the line of the new file, what happens there, and what to write instead.
- Report only what you can show from the change. What depends on code that you do not see is a question.
- No finding is better than a made-up one: an empty list is a good answer.
- Verdict: “approve” without findings of severity high or medium, else “change”.
"""
_USER: Final = """
{% if purpose %}What the change is for: {{ purpose }}

{% endif -%}
<change>
{{ change }}
</change>
"""


def _row(language: str, purpose: str, change: str, expected: str) -> TestRow:
    return TestRow({"language": language, "purpose": purpose, "change": change.strip()}, expected)


_SQL: Final = """
 def find_user(name):
-    return User.objects.get(name=name)
+    return db.execute("SELECT * FROM users WHERE name = '" + name + "'").fetchone()
"""

CODE_REVIEW: Final = Example(
    key="code-review",
    title="Code review",
    icon="code",
    name="engineering/code-review",
    description="Finds what is wrong in a change, the worst first, with line and remedy; or nothing.",
    use="Teams that want a first reading before a person looks.",
    content=VersionContent(
        messages=messages(_SYSTEM, _USER),
        variables=(
            variable("change", _SQL.strip()),
            variable("language", "Python", default="Python"),
            variable("purpose", "Look users up without the ORM", required=False),
            variable("rules", ["Every query has a timeout."], "json", required=False),
        ),
        model=SANDBOX_MODEL,
        parameters={"temperature": 0, "max_tokens": 900},
        output_schema=schema(
            {
                "verdict": {"type": "string", "enum": ["approve", "change"]},
                "findings": {
                    "type": "array",
                    "items": schema(
                        {
                            "line": {"type": "integer", "minimum": 1},
                            "severity": {"type": "string", "enum": ["high", "medium", "low"]},
                            "problem": text("What happens there."),
                            "remedy": text("What to write instead."),
                        }
                    ),
                },
                "questions": {"type": "array", "items": {"type": "string"}},
            }
        ),
    ),
    dataset="Code review tests",
    rows=(
        _row("Python", "Look users up without the ORM", _SQL, "change"),
        _row("Python", "", "+def total(rows=[]):\n+    rows.append(1)\n+    return len(rows)", "change"),
        _row("Python", "Rename", "-count = len(rows)\n+row_count = len(rows)", "approve"),
        _row("JavaScript", "Show a name", "+box.innerHTML = '<b>' + user.name + '</b>'", "change"),
        _row("Go", "", "+resp, _ := http.Get(url)\n+defer resp.Body.Close()", "change"),
        _row("Python", "Retry", "+try:\n+    charge(card)\n+except Exception:\n+    charge(card)", "change"),
        _row("SQL", "Clean up", "+DELETE FROM sessions;", "change"),
        _row(
            "Python",
            "Add a test",
            "+def test_total__no_rows__is_zero():\n+    assert total([]) == 0",
            "approve",
        ),
    ),
)
