"""Pages of API keys: list, make, rotate, edit, revoke."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from django.contrib import messages
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from apps.core import errors
from apps.core.tables import Column, Filter, Table, register
from apps.tenants import queries, services
from apps.tenants.limits import limits_of
from apps.tenants.models import APIKey
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView
from apps.tenants.web.forms import EditKeyForm, KeyForm, RotateKeyForm

UNUSED_AFTER: Final = timedelta(days=90)
EXPIRY_WARNING: Final = timedelta(days=14)
LIMIT_WORDS: Final = {
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "concurrent_runs": "runs at a time",
}


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key with what is to be said of it."""

    key: APIKey
    state: str
    unused: bool
    ends_soon: bool
    replaced_by: APIKey | None

    @property
    def limits(self) -> list[str]:
        """Its own limits in words."""
        set_ = [(getattr(self.key, name), words) for name, words in LIMIT_WORDS.items()]
        return [f"{value:,} {words}" for value, words in set_ if value is not None]


def _rows(keys: list[APIKey]) -> list[KeyRow]:
    now = timezone.now()
    successors = queries.keys_by_id([key.replaced_by_id for key in keys if key.replaced_by_id])
    return [
        KeyRow(
            key,
            state := queries.key_state(key),
            unused=state == "active" and (key.last_used_at or key.created_at) < now - UNUSED_AFTER,
            ends_soon=state == "active"
            and key.expires_at is not None
            and key.expires_at < now + EXPIRY_WARNING,
            replaced_by=successors.get(key.replaced_by_id) if key.replaced_by_id else None,
        )
        for key in keys
    ]


KEYS: Final = register(
    Table[APIKey, KeyRow](
        key="keys",
        prefix=APIKey.PREFIX,
        noun=("API key", "API keys"),
        search="Search keys",
        default_sort="-made",
        prepare=_rows,
        filters=(
            Filter("state", "State", [("active", "Active"), ("expired", "Expired"), ("revoked", "Revoked")]),
        ),
        columns=(
            Column("id", "Id", lambda row: row.key.public_id, export_only=True),
            Column("name", "Name", lambda row: row.key.name, sort=Lower("name"), always=True),
            Column("masked", "Key", lambda row: row.key.masked, export_only=True),
            Column("scopes", "May", lambda row: row.key.scopes),
            Column("kind", "Kind", lambda row: "live" if row.key.livemode else "test", export_only=True),
            Column("status", "Status", lambda row: row.state),
            Column(
                "expires",
                "Expires",
                lambda row: row.key.expires_at,
                sort="expires_at",
                nullable=True,
                export_only=True,
            ),
            Column("networks", "Networks", lambda row: row.key.allowed_networks, default=False),
            Column("limits", "Limits", lambda row: row.limits, default=False),
            Column(
                "used",
                "Last used",
                lambda row: row.key.last_used_at,
                sort="last_used_at",
                nullable=True,
                downwards=True,
            ),
            Column("used_ip", "Last used from", lambda row: row.key.last_used_ip, export_only=True),
            Column("made", "Made", lambda row: row.key.created_at, sort="id", downwards=True, default=False),
        ),
    )
)


class KeysView(ProjectView):
    """A project's API keys."""

    permissions: ClassVar = {"GET": Permission.KEYS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        asked = KEYS.read(request.GET)
        found = queries.keys_of(self.project, search=asked.search, state=asked.filters["state"])
        context = {"may_manage": self.access.can(Permission.KEYS_MANAGE)}
        return self.list_page(KEYS, asked, found, "tenants/keys.html", context)


class KeyPage(ProjectView, abstract=True):
    """What the pages of one key share."""

    def key(self, public_id: str) -> APIKey:
        return queries.get_key(self.project, public_id)

    def made(self, key: APIKey, token: str, old: APIKey | None = None) -> HttpResponse:
        """The one page that shows a secret: nobody may keep a copy of it."""
        address = self.request.build_absolute_uri("/api/v1/me")
        command = f'curl {address} -H "Authorization: Bearer {token}"'
        context: dict[str, object] = {"key": key, "token": token, "command": command, "old": old}
        context["old_ended"] = old is not None and queries.key_state(old) == "expired"
        response = self.render("tenants/key_made.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response

    def back(self) -> HttpResponse:
        return redirect(self.address("tenants:keys"))


class NewKeyView(KeyPage):
    """Make a key. Its secret is shown on the answer to the form, and nowhere afterwards."""

    permissions: ClassVar = {"GET": Permission.KEYS_MANAGE, "POST": Permission.KEYS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self._form(KeyForm(permissions=self.access.permissions))

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = KeyForm(request.POST, permissions=self.access.permissions)
        if not form.is_valid():
            return self._form(form, status=422)
        try:
            key, token = services.create_api_key(
                actor=self.access.actor,
                project=self.project,
                created_by=self.user,
                name=form.cleaned_data["name"],
                scopes=form.cleaned_data["scopes"],
                livemode=form.cleaned_data["livemode"] == "live",
                expires_at=form.expires_at(),
                allowed_networks=form.cleaned_data["allowed_networks"].splitlines(),
                limits=form.limits(),
            )
        except errors.InvalidRequest as error:
            form.add_error(error.param if error.param in form.fields else None, error.message)
            return self._form(form, status=422)
        return self.made(key, token)

    def _form(self, form: KeyForm, status: int = 200) -> HttpResponse:
        return self.render("tenants/new_key.html", {"form": form}, status=status)


class EditKeyView(KeyPage):
    """Rename a key, or change its networks and limits."""

    permissions: ClassVar = {"GET": Permission.KEYS_MANAGE, "POST": Permission.KEYS_MANAGE}

    def get(self, request: HttpRequest, key: str, **_: str) -> HttpResponse:
        found = self.key(key)
        networks = "\n".join(found.allowed_networks)
        initial = {"name": found.name, "allowed_networks": networks, **limits_of(found)}
        form = EditKeyForm(initial=initial)
        return self.render("tenants/edit_key.html", {"key": found, "form": form})

    def post(self, request: HttpRequest, key: str, **_: str) -> HttpResponse:
        found, form = self.key(key), EditKeyForm(request.POST)
        if form.is_valid():
            try:
                services.update_api_key(
                    actor=self.access.actor,
                    key=found,
                    name=form.cleaned_data["name"],
                    allowed_networks=form.cleaned_data["allowed_networks"].splitlines(),
                    limits=form.limits(),
                )
            except errors.InvalidRequest as error:
                form.add_error(error.param if error.param in form.fields else None, error.message)
            else:
                messages.info(request, "The key is changed. It holds everywhere within a second.")
                return self.back()
        return self.render("tenants/edit_key.html", {"key": found, "form": form}, status=422)


class RotateKeyView(KeyPage):
    """Put a new key in the place of one that goes on for a while."""

    permissions: ClassVar = {"GET": Permission.KEYS_MANAGE, "POST": Permission.KEYS_MANAGE}

    def get(self, request: HttpRequest, key: str, **_: str) -> HttpResponse:
        return self.render("tenants/rotate_key.html", {"key": self.key(key), "form": RotateKeyForm()})

    def post(self, request: HttpRequest, key: str, **_: str) -> HttpResponse:
        found, form = self.key(key), RotateKeyForm(request.POST)
        if not form.is_valid():
            return self.render("tenants/rotate_key.html", {"key": found, "form": form}, status=422)
        new, token = services.rotate_api_key(
            actor=self.access.actor, key=found, created_by=self.user, overlap=form.duration()
        )
        return self.made(new, token, self.key(key))


class RevokeKeyView(KeyPage):
    """Ask, then end a key."""

    permissions: ClassVar = {"GET": Permission.KEYS_MANAGE, "POST": Permission.KEYS_MANAGE}

    def get(self, request: HttpRequest, key: str, **_: str) -> HttpResponse:
        found = self.key(key)
        context = {"key": found, "title": f"Revoke {found.name}?"}
        return self.render("tenants/revoke_key.html", context)

    def post(self, request: HttpRequest, key: str, **_: str) -> HttpResponse:
        revoked = services.revoke_api_key(actor=self.access.actor, key=self.key(key))
        messages.info(request, f"The key {revoked.name} no longer works.")
        return self.back()
