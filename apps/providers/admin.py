"""Staff pages: connections without their secrets."""

from django.contrib import admin

from apps.core.admin import ReadOnlyAdmin
from apps.providers.models import ProviderCredential


@admin.register(ProviderCredential)
class ProviderCredentialAdmin(ReadOnlyAdmin):
    """Provider connections; keys and headers are sealed and not shown."""

    list_display = ("name", "base_url", "organization", "project", "test_passed", "tested_at", "created_at")
    list_select_related = ("organization", "project")
    search_fields = ("name", "base_url")
    ordering = ("-id",)
