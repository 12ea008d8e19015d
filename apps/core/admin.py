"""Django admin: a read-only base for every room, and core's own tables."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from apps.core import mail, outbox
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

    def _run_action(self, request: HttpRequest, name: str) -> HttpResponse:
        found = self.get_actions(request).get(name)
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if found is not None and selected and self.has_view_permission(request):
            with system_scope():
                rows = list(self.get_queryset(request).filter(pk__in=selected).order_by("pk"))
            action: Callable[..., Any] = found[0]
            action(self, request, rows)
        return HttpResponseRedirect(request.get_full_path())


def _rendered(response: HttpResponse) -> HttpResponse:
    """A lazy response would query after its scope has closed."""
    if isinstance(response, TemplateResponse):
        response.render()
    return response


@admin.register(DataKey)
class DataKeyAdmin(ReadOnlyAdmin):
    """Which master key wraps which organization's key; never the key."""

    list_display = ("id", "organization_id", "master_version", "created_at", "rewrapped_at")
    ordering = ("-id",)


@admin.register(StoredFile)
class StoredFileAdmin(ReadOnlyAdmin):
    """Files by name and size; never their content."""

    list_display = ("public_id", "name", "content_type", "size", "created_at", "expires_at")
    list_select_related = ("organization",)
    ordering = ("-id",)


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    """The last hour of the change feed."""

    list_display = ("id", "kind", "key", "organization_id", "created_at")
    list_filter = ("kind",)
    ordering = ("-id",)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(ReadOnlyAdmin):
    """Messages that wait or have failed; their payloads stay hidden."""

    content_fields = ("payload",)
    list_display = ("id", "topic", "organization_id", "attempts", "due_at", "failed_at", "last_error")
    list_filter = (("failed_at", admin.EmptyFieldListFilter),)
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
