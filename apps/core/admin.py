"""Django admin: a read-only base for every room, and core's own tables."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from apps.core import ids, mail, outbox
from apps.core.models import Change, DataKey, OutboxMessage, OutgoingMail, StoredFile
from apps.core.scope import system_scope

# Generic for the type checker only: Django's class takes no argument at run time.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(_ModelAdmin):
    """Staff may look, not write: changes go through actions that call services, so they are audited.

    Pages run and render under the system role. Binary columns, `exclude` and `content_fields` are not shown.
    An action gets a list of rows, outside any scope, so that it can open the right one.
    Trap: `list_filter` on a foreign key asks the scoped manager and fails; filter by plain columns.
    """

    # The mark that StaffSite asks for.
    is_read_only: ClassVar[bool] = True
    content_fields: ClassVar[tuple[str, ...]] = ()
    # Columns of ids that are searched beside the row's own and its organization's.
    search_ids: ClassVar[tuple[str, ...]] = ()
    search_help_text = "Ids are found as they are shown (run_…, org_…) and as UUIDs."
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        manager = getattr(self.model, "all_organizations", self.model._default_manager)
        rows: QuerySet[Any] = manager.get_queryset()
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[Any]:
        if self.fields is not None:
            return list(self.fields)
        shown = [field.name for field in self.model._meta.concrete_fields if self._is_shown(field)]
        return [*shown, *(name for name in self.readonly_fields if name not in shown)]

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[Any]:
        return self.get_fields(request, obj)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        # Never empty: ids are searched in every table, and without fields there is no search box.
        return [*self.search_fields] or [self.model._meta.pk.name]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows with the id that was asked for, or else with every word in the fields to search."""
        term = search_term.strip()
        if ids.read_any(term) is not None:
            return queryset.filter(self._with_id(term)), False
        if term and not self.search_fields:
            return queryset.none(), False
        return super().get_search_results(request, queryset, term)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        action = request.POST.get("action", "") if request.method == "POST" else ""
        if action:
            return self._run_action(request, action)
        with system_scope():
            return _rendered(super().changelist_view(request, extra_context))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        with system_scope():
            return _rendered(super().changeform_view(request, object_id, form_url, extra_context))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        with system_scope():
            return _rendered(super().history_view(request, object_id, extra_context))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        raise PermissionDenied

    def _is_shown(self, field: "models.Field[Any, Any]") -> bool:
        hidden = {*self.content_fields, *(self.exclude or ())}
        return not isinstance(field, models.BinaryField) and field.name not in hidden

    def _with_id(self, term: str) -> Q:
        prefix, wanted = ids.read_any(term) or ("", UUID(int=0))
        fields = {field.attname: field for field in self.model._meta.concrete_fields}
        of_organization = ["organization_id"] if "organization_id" in fields else []
        columns = [self.model._meta.pk.attname, *self.search_ids, *of_organization]
        if prefix == "org" and of_organization:
            columns = of_organization
        given = [(name, _comparable(fields[name], term, wanted)) for name in columns]
        return Q(*(pair for pair in given if pair[1] is not None), _connector=Q.OR) or Q(pk__in=[])

    def _run_action(self, request: HttpRequest, name: str) -> HttpResponse:
        found = self.get_actions(request).get(name)
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if found is not None and selected and self.has_view_permission(request):
            with system_scope():
                rows = list(self.get_queryset(request).filter(pk__in=selected).order_by("pk"))
            action: Callable[..., Any] = found[0]
            action(self, request, rows)
        return HttpResponseRedirect(request.get_full_path())


def _comparable(field: "models.Field[Any, Any]", term: str, wanted: UUID) -> UUID | str | None:
    """The id as the column holds it; None for a column of numbers."""
    kind = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(kind, models.UUIDField):
        return wanted
    return term if isinstance(kind, models.CharField) else None


def _rendered(response: HttpResponse) -> HttpResponse:
    """A lazy response would query after its scope has closed."""
    if isinstance(response, TemplateResponse):
        response.render()
    return response


@admin.register(DataKey)
class DataKeyAdmin(ReadOnlyAdmin):
    """Which master key wraps which organization's key; never the key."""

    list_display = ("id", "organization_id", "master_version", "created_at", "rewrapped_at")
    list_filter = ("master_version",)
    ordering = ("-id",)


@admin.register(StoredFile)
class StoredFileAdmin(ReadOnlyAdmin):
    """Files by name and size; never their content."""

    list_display = ("public_id", "name", "content_type", "size", "created_at", "expires_at")
    list_filter = ("content_type", "created_at")
    list_select_related = ("organization",)
    search_fields = ("name", "=organization__slug")
    ordering = ("-id",)


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """The last hour of the change feed."""

    list_display = ("id", "kind", "key", "organization_id", "created_at")
    list_filter = ("kind",)
    search_fields = ("=key",)
    ordering = ("-id",)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """Messages that wait or have failed; their payloads stay hidden."""

    content_fields = ("payload",)
    list_display = ("id", "topic", "organization_id", "attempts", "due_at", "failed_at", "last_error")
    list_filter = ("topic", ("failed_at", admin.EmptyFieldListFilter))
    search_fields = ("=topic",)
    ordering = ("-id",)
    actions = ("retry",)

    @admin.action(description="Try again now", permissions=["view"])
    def retry(self, request: HttpRequest, rows: list[OutboxMessage]) -> None:
        """Make the selected messages due, whatever happened before."""
        outbox.retry_messages(message_ids=[row.id for row in rows])


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    """Mail that waits, was sent or failed. Without EMAIL_URL, as in the demo, it is read here."""

    list_display = ("created_at", "recipients", "subject", "sent_at", "failed_at", "attempts")
    list_filter = (("sent_at", admin.EmptyFieldListFilter), ("failed_at", admin.EmptyFieldListFilter))
    search_fields = ("recipients", "subject")
    readonly_fields = ("message",)
    ordering = ("-id",)
    actions = ("retry",)

    @admin.display(description="Message")
    def message(self, row: OutgoingMail) -> str:
        """The text of the mail, where the admin's page is its only way out."""
        if settings.EMAIL_URL:
            return "Hidden: mail is delivered by the server named in EMAIL_URL."
        return mail.message_text(row)

    @admin.action(description="Send again now", permissions=["view"])
    def retry(self, request: HttpRequest, rows: list[OutgoingMail]) -> None:
        """Make the selected mails due, whatever happened before."""
        mail.retry_mail(mail_ids=[row.id for row in rows])
