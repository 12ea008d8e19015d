"""Lists of rows: declared once, then searched, filtered, sorted, paged, chosen from and exported.

``docs/ui.md`` shows a list page; ``apps.batches.web.listing`` is one.
"""

from apps.core.tables.asking import Asked
from apps.core.tables.declaring import Action, Column, Filter, FilterKind, Table, register, table_named
from apps.core.tables.exporting import export_answer
from apps.core.tables.paging import Listing, page_of

__all__ = [
    "Action",
    "Asked",
    "Column",
    "Filter",
    "FilterKind",
    "Listing",
    "Table",
    "export_answer",
    "page_of",
    "register",
    "table_named",
]
