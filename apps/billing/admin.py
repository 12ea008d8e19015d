"""Staff pages: the ledger, quotas and leases."""

from django.contrib import admin

from apps.billing.models import AllowanceLease, Quota, UsageEvent
from apps.core.admin import ReadOnlyAdmin


@admin.register(UsageEvent)
class UsageEventAdmin(ReadOnlyAdmin):
    """What was metered, newest first."""

    list_display = ("recorded_at", "organization", "meter", "quantity", "key", "source_kind", "source_id")
    list_select_related = ("organization",)
    list_filter = ("meter",)
    search_fields = ("=organization__slug",)
    ordering = ("-id",)


@admin.register(Quota)
class QuotaAdmin(ReadOnlyAdmin):
    """What each organization may use, month by month."""

    list_display = ("organization", "meter", "period_start", "cap", "used", "reserved")
    list_select_related = ("organization",)
    list_filter = ("meter",)
    search_fields = ("=organization__slug",)
    ordering = ("-id",)


@admin.register(AllowanceLease)
class AllowanceLeaseAdmin(ReadOnlyAdmin):
    """What processes hold of the quotas."""

    list_display = ("holder", "organization", "amount", "counted", "expires_at", "closed_at", "expired")
    list_select_related = ("organization",)
    list_filter = ("expired",)
    search_fields = ("=organization__slug",)
    ordering = ("-id",)
