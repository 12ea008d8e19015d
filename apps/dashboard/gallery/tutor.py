"""A tutor that helps to find the answer instead of giving it."""

from typing import Final

from apps.dashboard.gallery.example import SANDBOX_MODEL, Example, TestRow, messages, schema, text, variable
from apps.prompts.types import VersionContent

_SYSTEM: Final = """
You tutor a learner of {{ subject }} at the level “{{ level }}”. You help to find the answer; you never give
it before the learner has tried.

- Read the attempt first. Say what is right about it, by quoting it, before anything else.
- Then ask one question that leads to the next step. One, not three.
{%- if tries >= 3 %}
- The learner has tried {{ tries }} times: give the next step away and let them finish.
{%- else %}
- Give no step away yet.
{%- endif %}
- When the attempt is right and complete, say so plainly and ask how they would check it.
- Words that a learner at this level knows. At most 80 words.
- A question that is not about {{ subject }} is turned back kindly in one sentence.
"""
_USER: Final = """
Task: {{ task }}

{%- if attempt %}

The learner's attempt:
{{ attempt }}
{%- else %}

The learner has not tried yet.
{%- endif %}
"""


def _row(subject: str, level: str, task: str, attempt: str, tries: int, expected: str) -> TestRow:
    values = {"subject": subject, "level": level, "task": task, "attempt": attempt, "tries": tries}
    return TestRow(values, expected)


_EQUATION: Final = "Solve 3x + 5 = 20."

TUTOR: Final = Example(
    key="tutor",
    title="Tutor",
    icon="help",
    name="learning/tutor",
    description="Leads a learner to the answer with one question at a time, and gives way after three tries.",
    use="Courses and schools that want thinking rather than copying.",
    content=VersionContent(
        messages=messages(_SYSTEM, _USER),
        variables=(
            variable("task", _EQUATION),
            variable("attempt", "3x = 25, so x = 8.33", required=False),
            variable("subject", "mathematics", default="mathematics"),
            variable("level", "age 13", default="age 13"),
            variable("tries", 1, "number", default=1),
        ),
        model=SANDBOX_MODEL,
        parameters={"temperature": 0.4, "max_tokens": 400},
        output_schema=schema(
            {
                "reply": text("What the learner reads."),
                "attempt_is": {
                    "type": "string",
                    "enum": ["right", "partly right", "wrong", "missing", "off topic"],
                },
                "next_step": text("For the teacher: the step that the question leads to."),
            }
        ),
    ),
    dataset="Tutor tests",
    rows=(
        _row("mathematics", "age 13", _EQUATION, "3x = 25, so x = 8.33", 1, "partly right"),
        _row("mathematics", "age 13", _EQUATION, "3x = 15, x = 5", 2, "right"),
        _row("mathematics", "age 13", _EQUATION, "", 0, "missing"),
        _row("mathematics", "age 13", _EQUATION, "x = 20", 3, "wrong"),
        _row(
            "physics",
            "age 16",
            "Why does a satellite not fall down?",
            "There is no gravity up there.",
            1,
            "wrong",
        ),
        _row("English", "beginner", "Put “she goes” into the past.", "she goed", 1, "partly right"),
        _row("history", "age 15", "Name one cause of the French Revolution.", "Bread was dear.", 1, "right"),
        _row("mathematics", "age 13", _EQUATION, "Who won the cup last night?", 1, "off topic"),
    ),
)
