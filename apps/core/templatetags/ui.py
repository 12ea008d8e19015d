"""The building blocks of every page: `{% load ui %}`. `docs/ui.md` shows each one in use."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zlib import crc32

from django import forms, template
from django.conf import settings
from django.forms import BoundField, Form
from django.forms.boundfield import BoundWidget
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import formatting

register = template.Library()

register.filter("number", formatting.format_number)
register.filter("money", formatting.format_money)
register.filter("money_to", formatting.format_money_range)
register.filter("percent", formatting.format_percent)
register.filter("duration", formatting.format_duration)
register.filter("initials", formatting.initials)


@register.simple_tag
def mail_is_kept() -> bool:
    """Whether mail waits in the admin, because no mail server is set."""
    return not settings.EMAIL_URL


@register.simple_tag
def icon(name: str, size: str = "", extra: str = "") -> SafeString:
    """Draw a symbol of `static/icons.svg`. `size` is "", "sm" or "lg"; `extra` holds more classes."""
    classes = " ".join(filter(None, ("icon", size and f"icon--{size}", extra)))
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#i-{}"/></svg>', classes, static("icons.svg"), name
    )


@register.simple_tag
def when(moment: datetime | None, absent: str = "never") -> SafeString:
    """Write a time as "3 min ago"; the exact time in the reader's zone stands in its title."""
    if moment is None:
        return format_html('<span class="muted">{}</span>', absent)
    local = timezone.localtime(moment)
    return format_html(
        '<time class="nowrap" datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        formatting.format_moment(local),
        formatting.format_relative(local, timezone.localtime()),
    )


@register.simple_tag
def cost(status: str | None, amount: Decimal | None = None) -> SafeString:
    """Write a cost by its price status: priced, free, unknown or sandbox; None means nothing was charged."""
    if status is None:
        return format_html('<span class="muted">{}</span>', "none")
    if status == "priced":
        return format_html('<span class="num">{}</span>', formatting.format_money(amount))
    if status == "sandbox":
        return format_html(
            '<span class="num muted" title="{}">{} <small>sandbox</small></span>',
            "A made-up price of the sandbox model. It is never billed.",
            formatting.format_money(amount or Decimal(0)),
        )
    if status == "free":
        return format_html('<span class="muted">{}</span>', "free")
    return format_html('<span class="muted" title="{}">unknown</span>', "No price is known for this model")


@dataclass(frozen=True)
class Badge:
    """How one status looks: always an icon and a word, colour on top."""

    icon: str
    variant: str
    word: str


BADGES: Mapping[str, Badge] = {
    "active": Badge("check", "ok", "Active"),
    "succeeded": Badge("check-circle", "ok", "Finished"),
    "completed": Badge("check-circle", "ok", "Finished"),
    "match": Badge("check", "ok", "Match"),
    "verified": Badge("check", "ok", "Verified"),
    "running": Badge("loader", "info", "Running"),
    "in_progress": Badge("loader", "info", "Running"),
    "validating": Badge("loader", "info", "Checking"),
    "finalizing": Badge("loader", "info", "Finishing"),
    "cancelling": Badge("loader", "warn", "Stopping"),
    "differs": Badge("alert", "warn", "Differs"),
    "expired": Badge("clock", "warn", "Expired"),
    "unverified": Badge("alert", "warn", "Not verified"),
    "failed": Badge("x-circle", "bad", "Failed"),
    "revoked": Badge("x-circle", "bad", "Revoked"),
    "scheduled": Badge("calendar", "", "Scheduled"),
    "paused": Badge("pause", "warn", "Paused"),
    "pending": Badge("clock", "", "Waiting"),
    "queued": Badge("clock", "", "Waiting"),
    "cancelled": Badge("stop", "", "Stopped"),
    "open": Badge("check", "ok", "Open"),
    "closed": Badge("stop", "", "Closed"),
    "sandbox": Badge("flask", "accent", "Sandbox"),
    "sample": Badge("info", "accent", "Sample"),
}


@register.inclusion_tag("components/status_badge.html")
def status(name: str, word: str = "") -> dict[str, str]:
    """Draw the badge of a status; `word` replaces its usual word."""
    badge = BADGES.get(str(name)) or Badge("info", "", str(name).replace("_", " ").capitalize())
    return {"icon_name": badge.icon, "variant": badge.variant, "word": word or badge.word}


@register.inclusion_tag("components/avatar.html")
def avatar(name: str, size: str = "") -> dict[str, object]:
    """Draw initials on one of three grounds; the same name always gets the same one."""
    return {"letters": formatting.initials(name), "ground": crc32(name.encode()) % 3 + 2, "size": size}


@dataclass(frozen=True)
class MeterPart:
    """One stretch of a bar, in percent of its length."""

    kind: str
    start: float
    length: float


@register.inclusion_tag("components/meter.html")
def meter(label: str, total: float, *, size: str = "", **parts: float) -> dict[str, object]:
    """Draw a bar whose parts (`plain ok bad warn live ghost`) share `total`, in the order given."""
    drawn: list[MeterPart] = []
    start = 0.0
    for kind, amount in parts.items():
        length = min(100.0 - start, 100.0 * float(amount or 0) / float(total)) if total else 0.0
        if length > 0:
            drawn.append(MeterPart(kind, round(start, 3), round(length, 3)))
            start += length
    return {"label": label, "size": size, "parts": drawn}


@register.inclusion_tag("components/sort_header.html", takes_context=True)
def sort_header(
    context: Mapping[str, Any], label: str, key: str, *, numeric: bool = False
) -> dict[str, object]:
    """Draw a column head that sorts by `key` through `?sort=key` and `?sort=-key`, keeping other filters."""
    query = context["request"].GET.copy()
    current = query.get("sort", "")
    query["sort"] = f"-{key}" if current == key else key
    query.pop("starting_after", None)
    query.pop("ending_before", None)
    direction = {key: "ascending", f"-{key}": "descending"}.get(current, "")
    return {"label": label, "href": f"?{query.urlencode()}", "direction": direction, "numeric": numeric}


def _control_kind(widget: forms.Widget) -> str:
    kinds: tuple[tuple[type[forms.Widget] | tuple[type[forms.Widget], ...], str], ...] = (
        (forms.HiddenInput, "hidden"),
        ((forms.RadioSelect, forms.CheckboxSelectMultiple), "choices"),
        (forms.CheckboxInput, "check"),
        (forms.SelectMultiple, "plain"),
        (forms.Select, "select"),
        (forms.PasswordInput, "password"),
    )
    return next((kind for types, kind in kinds if isinstance(widget, types)), "plain")


def _choice_boxes(bound: BoundField) -> Iterable[BoundWidget]:
    # Django's checkboxes inherit from its radio buttons.
    shape = "box" if isinstance(bound.field.widget, forms.CheckboxSelectMultiple) else "box box--radio"
    for choice in bound.subwidgets:
        choice.data["attrs"]["class"] = shape
        yield choice


def _control_attributes(bound: BoundField, kind: str, help_text: str) -> dict[str, Any]:
    own = "box" if kind == "check" else "input"
    described = [f"{bound.auto_id}_help"] * bool(help_text) + [f"{bound.auto_id}_error"] * bool(bound.errors)
    attributes: dict[str, Any] = {"class": f"{own} {bound.field.widget.attrs.get('class', '')}".strip()}
    if described:
        attributes["aria-describedby"] = " ".join(described)
    if bound.errors:
        attributes["aria-invalid"] = "true"
    return attributes


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, label: str = "", help_text: str = "", **attributes: Any) -> dict[str, object]:
    """Draw one form field with label, help, error and counter.

    Further keyword arguments become attributes of the control, `_` written as `-`
    (`{% field form.email autocomplete="username" %}`).
    """
    kind = _control_kind(bound.field.widget)
    help_text = help_text or str(bound.help_text)
    given = {name.replace("_", "-"): value for name, value in attributes.items()}
    control = bound.as_widget(attrs=_control_attributes(bound, kind, help_text) | given)
    return {
        "bound": bound,
        "kind": kind,
        "label": label or bound.label,
        "help_text": help_text,
        "control": control,
        "choices": list(_choice_boxes(bound)) if kind == "choices" else [],
        "listed": isinstance(bound.field.widget, forms.CheckboxSelectMultiple),
        "limit": getattr(bound.field, "max_length", None) if kind == "plain" else None,
        "optional": not bound.field.required and kind not in {"check", "choices"},
    }


@register.simple_tag
def control(bound: BoundField, size: str = "", **attributes: Any) -> SafeString:
    """Draw the bare control of a field, for a table cell or a bar; its label becomes `aria-label`."""
    given = {name.replace("_", "-"): value for name, value in attributes.items()}
    own = _control_attributes(bound, _control_kind(bound.field.widget), "")
    own["class"] = " ".join(filter(None, (own["class"], size and f"input--{size}")))
    return bound.as_widget(attrs={"aria-label": str(bound.label)} | own | given)


@register.inclusion_tag("components/form_errors.html")
def form_errors(form: Form) -> dict[str, object]:
    """Draw the errors that belong to the whole form; the fields show their own."""
    hidden = [error for bound in form.hidden_fields() for error in bound.errors]
    return {"errors": [*form.non_field_errors(), *hidden]}


@register.inclusion_tag("components/fields.html")
def fields(form: Form) -> dict[str, object]:
    """Draw a whole form: its own errors, the hidden fields, then every visible field in order."""
    return {"form": form}


# Pages of a room that have an entry of their own in the sidebar.
OWN_ENTRIES = frozenset({"runs:playground"})


@register.inclusion_tag("components/nav_link.html", takes_context=True)
def nav_link(
    context: Mapping[str, Any], view_name: str, icon_name: str, label: str, go: str = ""
) -> dict[str, object]:
    """Draw a sidebar entry of the current project, marked when the page belongs to the same room.

    An entry whose address does not exist is left out: a room that is not installed has no dead link.
    `go` is the key that opens it after `g`.
    """
    slugs = (context["organization"].slug, context["home_project"].slug)
    try:
        href = reverse(view_name, args=slugs)
    except NoReverseMatch:
        href = ""
    match = context["request"].resolver_match
    return {
        "href": href,
        "icon_name": icon_name,
        "label": label,
        "go": go,
        "current": bool(match) and not context.get("in_settings") and _same_entry(match.view_name, view_name),
    }


def _same_entry(shown: str, entry: str) -> bool:
    if OWN_ENTRIES & {shown, entry}:
        return shown == entry
    return shown.partition(":")[0] == entry.partition(":")[0]
