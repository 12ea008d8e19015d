"""The models that ran without a known price: a part of the page of prices, and a page of its own."""

from typing import ClassVar

from django.http import HttpRequest, HttpResponse

from apps.runs.unknown_prices import DAYS, unpriced_models
from apps.tenants.roles import Permission
from apps.tenants.web.base import ProjectView


class UnknownPricesView(ProjectView):
    """Models with runs of unknown price, each with a link that sets one."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        is_part = bool(request.headers.get("HX-Request"))
        template = "runs/unknown_prices_part.html" if is_part else "runs/unknown_prices.html"
        context = {
            "models": unpriced_models(self.project.id),
            "days": DAYS,
            "may_price": self.access.can(Permission.PROVIDERS_MANAGE),
        }
        return self.render(template, context)
