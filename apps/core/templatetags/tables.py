"""The parts of a list page: `{% load tables %}`. `docs/ui.md` shows them in use."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core import ids
from apps.core.tables import Action, Asked, Listing

register = template.Library()


@register.inclusion_tag("components/table_bar.html", takes_context=True)
def table_bar(context: Mapping[str, Any], table: Listing[Any]) -> dict[str, Any]:
    """Draw search, filters, choice of columns and export, and the chips of the filters that are on."""
    return {
        "table": table,
        "noun": table.table.noun,
        "columns_address": reverse("tenants:columns", args=[table.table.key]),
        "here": f"{context['request'].path}{table.here}",
    }


@register.inclusion_tag("components/table_head.html")
def table_head(table: Listing[Any], select: bool = True, extra: str = "") -> dict[str, Any]:
    """Draw the head of a table; `extra` names a last column of buttons, which is never sorted or hidden."""
    return {"table": table, "noun": table.table.noun, "select": select, "extra": extra, "form": _form(table)}


@register.simple_tag
def table_check(table: Listing[Any], row: Any, name: str) -> SafeString:
    """Draw the cell with the checkbox of a row; `name` is what a listener hears."""
    public_id = ids.encode(table.asked.prefix, row.pk)
    checked = table.asked.every or row.pk in table.asked.ids
    return format_html(
        '<td class="table__check"><input class="box" type="checkbox" name="id" value="{}" form="{}"'
        ' aria-label="Select {}"{}></td>',
        public_id,
        _form(table),
        name,
        " checked" if checked else "",
    )


@register.inclusion_tag("components/table_foot.html")
def table_foot(table: Listing[Any], actions: Sequence[Action] = (), select: bool = True) -> dict[str, Any]:
    """Draw the pages' links and the bar of actions for chosen rows. Export of the chosen is always there."""
    return {
        "table": table,
        "noun": table.table.noun,
        "actions": actions,
        "select": select,
        "form": _form(table),
    }


@register.simple_tag
def table_link(table: Listing[Any], **changes: str) -> str:
    """The address of this view of the list narrowed further, as by a click on a value: `error="timeout"`."""
    return table.asked.address(**changes)


@register.simple_tag
def selection_fields(asked: Asked, matching: int) -> SafeString:
    """Draw hidden fields that carry the chosen rows, and how many they are, into the form that asks."""
    fields = [*asked.selection(), ("matching", str(matching))]
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', fields)


def _form(table: Listing[Any]) -> str:
    return f"chosen-{table.table.key}"
