"""Reads of roll-ups: figures over time, of a period, by what runs were called with.

Everything is called inside the organization's scope.
"""

from apps.analytics.queries.costs import Cost, CostRow, CostTable, costs
from apps.analytics.queries.filters import read_filters
from apps.analytics.queries.prompts import (
    Today,
    has_only_sandbox,
    label_calls,
    last_data,
    sparklines,
    today,
    versions_of_prompt,
    week_of_prompts,
)
from apps.analytics.queries.series import breakdown, check, load_sums, series, summary, summary_by
from apps.analytics.queries.shapes import Figures, Group, Line, Point, Row, Series, Summary
from apps.analytics.queries.statements import Asked
from apps.analytics.queries.versions import Override, VersionFigures, overrides, versions

__all__ = [
    "Asked",
    "Cost",
    "CostRow",
    "CostTable",
    "Figures",
    "Group",
    "Line",
    "Override",
    "Point",
    "Row",
    "Series",
    "Summary",
    "Today",
    "VersionFigures",
    "breakdown",
    "check",
    "costs",
    "has_only_sandbox",
    "label_calls",
    "last_data",
    "load_sums",
    "overrides",
    "read_filters",
    "series",
    "sparklines",
    "summary",
    "summary_by",
    "today",
    "versions",
    "versions_of_prompt",
    "week_of_prompts",
]
