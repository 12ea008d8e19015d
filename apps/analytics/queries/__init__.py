"""Reads of roll-ups: figures over time, of a period, by what runs were called with.

Everything is called inside the organization's scope.
"""

from apps.analytics.queries.series import breakdown, check, load_sums, series, summary
from apps.analytics.queries.shapes import Figures, Group, Line, Point, Row, Series, Summary
from apps.analytics.queries.statements import Asked

__all__ = [
    "Asked",
    "Figures",
    "Group",
    "Line",
    "Point",
    "Row",
    "Series",
    "Summary",
    "breakdown",
    "check",
    "load_sums",
    "series",
    "summary",
]
