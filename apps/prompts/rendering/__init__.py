"""Templates of prompts: checked when they are saved, rendered within hard bounds.

Pure: no Django model, no database. A template is text with ``{{ name }}``, ``{% if %}`` and
``{% for %}``; values are data and are never read as template text again.
"""

from apps.prompts.rendering.grammar import MAX_TEMPLATE_CHARACTERS, NAME, Problem, TemplateProblem, Variable
from apps.prompts.rendering.machine import MAX_OUTPUT_CHARACTERS, check_template, render, render_text
from apps.prompts.rendering.values import VARIABLE_TYPES, coerce_default, coerce_values, unknown_names

__all__ = [
    "MAX_OUTPUT_CHARACTERS",
    "MAX_TEMPLATE_CHARACTERS",
    "NAME",
    "VARIABLE_TYPES",
    "Problem",
    "TemplateProblem",
    "Variable",
    "check_template",
    "coerce_default",
    "coerce_values",
    "render",
    "render_text",
    "unknown_names",
]
