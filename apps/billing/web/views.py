"""The usage page of an organization, and its file."""

import csv
import io
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse

from apps.billing import plans, usage
from apps.billing.usage import MonthUsage
from apps.billing.web.charts import running_total
from apps.core.errors import InvalidRequest
from apps.core.spreadsheets import safe_cell
from apps.tenants.roles import Permission
from apps.tenants.web.base import OrganizationView


class UsageView(OrganizationView):
    """A month: what is included, what was used, by project; keys, prompts and costs come as a fragment."""

    permissions: ClassVar = {"GET": Permission.USAGE_VIEW}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        now = datetime.now(UTC)
        months = usage.months_since(self.organization.created_at, now)
        month = _chosen(request.GET.get("month", ""), months)
        found = usage.month_usage(self.organization.id, month)
        if request.GET.get("export") == "csv":
            return self._file(found)
        days = list(found.running_total())
        context = {
            "usage": found,
            "this_month": month == months[0],
            "month": f"{month:%Y-%m}",
            "months": [(f"{each:%Y-%m}", f"{each:%B %Y}") for each in months],
            "projects": self._projects(found),
            "days": days,
            "chart": running_total(days, found.days, found.included),
            "split_href": self._split_href(month) if self.access.can(Permission.RUNS_VIEW) else "",
            "period_unit": f"of {found.days} days",
            "period_note": f"{found.start:%-d} to {found.last_day:%-d %B %Y}, UTC",
        }
        return self.render("billing/usage.html", context)

    def _projects(self, found: MonthUsage) -> list[dict[str, Any]]:
        names: dict[UUID | None, str] = {project.id: project.name for project in self.session.projects}
        return [
            {"name": names.get(row.project_id, "A deleted project"), "usage": row}
            for row in found.by_project()
        ]

    def _split_href(self, month: datetime) -> str:
        """The fragment of a higher room, which knows runs; empty where it isn't installed."""
        try:
            return f"{reverse('dashboard:usage-split', args=[self.organization.slug])}?month={month:%Y-%m}"
        except NoReverseMatch:
            return ""

    def _file(self, found: MonthUsage) -> HttpResponse:
        names: dict[UUID | None, str] = {project.id: project.name for project in self.session.projects}
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(["day", "project", "meter", "quantity"])
        for line in found.lines:
            name = safe_cell(names.get(line.project_id, "A deleted project"))
            writer.writerow([line.day.isoformat(), name, line.meter, line.quantity])
        name = f"usage-{found.start:%Y-%m}.csv"
        return HttpResponse(
            buffer.getvalue(),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _chosen(text: str, months: list[datetime]) -> datetime:
    if not text:
        return months[0]
    for month in months:
        if text == f"{month:%Y-%m}":
            return plans.period_start(month)
    raise InvalidRequest("There is no usage of that month.", param="month")
