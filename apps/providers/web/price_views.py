"""Pages of models with their prices, and of own prices."""

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from apps.core.errors import Conflict, InvalidRequest
from apps.providers import queries, services
from apps.providers.catalogue import models_with_prices, price_book
from apps.providers.models import PriceOverride
from apps.providers.pricing import plain_amount
from apps.providers.web.base import ProvidersPage
from apps.providers.web.forms import PriceForm
from apps.tenants.roles import Permission

MOST_SHOWN: Final = 200


class PricesPage(ProvidersPage, abstract=True):
    """Models with prices and the own prices; pages with a dialog show it over them."""

    def prices_page(self, **more: Any) -> HttpResponse:
        """The page, with whatever a dialog needs."""
        search = self.request.GET.get("q", "").strip()
        overrides = list(queries.prices_of(self.project.id).order_by("pattern", "-starts_at"))
        models = models_with_prices(self.project.id, tuple(map(queries.rule_of, overrides)))
        matching = [model for model in models if search.lower() in model.choice.reference.lower()]
        context = {
            "search": search,
            "models": matching[:MOST_SHOWN],
            "model_count": len(matching),
            "own_prices": [self._own(override) for override in overrides],
            "unknown_count": sum(model.current.status == "unknown" for model in models),
            "now": timezone.now(),
            **more,
        }
        return self.page("providers/prices.html", "prices", **context)

    def _own(self, override: PriceOverride) -> dict[str, Any]:
        now, shared, cached = timezone.now(), override.project_id is None, override.cached_input_price
        ended = override.ends_at is not None and override.ends_at <= max(now, override.starts_at)
        return {
            "price": override,
            "input": plain_amount(override.input_price),
            "output": plain_amount(override.output_price),
            "cached_input": None if cached is None else plain_amount(cached),
            "every_project": shared,
            "state": "ended" if ended else "holds" if override.starts_at <= now else "coming",
            "may_end": not ended and (self.may_share if shared else self.may_manage),
        }


class PricesView(PricesPage):
    """What every model costs, and why."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        return self.prices_page()


class NewPriceView(PricesPage):
    """Set a price."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponse:
        model = request.GET.get("model", "")[:255]
        return self._form(PriceForm(may_share=self.may_share, initial={"pattern": model}), model)

    def post(self, request: HttpRequest, **_: str) -> HttpResponse:
        form = PriceForm(request.POST, may_share=self.may_share)
        if form.is_valid():
            try:
                made = services.create_price(
                    actor=self.access.actor,
                    organization=self.organization,
                    project=self.owner(every_project=form.every_project),
                    **form.values(),
                )
            except (InvalidRequest, Conflict) as problem:
                form.add_problem(problem)
            else:
                messages.info(request, f"The price of {made.pattern} is saved. Past costs stay as they are.")
                return redirect(self.address("providers:prices"))
        return self._form(form, request.POST.get("pattern", "")[:255], status=422)

    def _form(self, form: PriceForm, model: str, status: int = 200) -> HttpResponse:
        listed = None
        if model and "*" not in model:
            listed = price_book(self.project.id).catalogue_price(model, timezone.now())
        context = {"form": form, "model": model, "listed": listed}
        return self.render("providers/price_form.html", context, status=status)


class EndPriceView(PricesPage):
    """Ask, then end a price."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_MANAGE, "POST": Permission.PROVIDERS_MANAGE}

    def get(self, request: HttpRequest, price: str, **_: str) -> HttpResponse:
        found = queries.get_price(self.project.id, price)
        return self.prices_page(
            ending=found,
            end_title=f"End the price of {found.pattern}?",
            end_text="Runs from now on are priced by the list again. Past costs stay as they are.",
            end_address=request.path,
            prices_address=self.address("providers:prices"),
        )

    def post(self, request: HttpRequest, price: str, **_: str) -> HttpResponse:
        found = queries.get_price(self.project.id, price)
        try:
            services.end_price(actor=self.access.actor, override=found)
        except InvalidRequest as problem:
            messages.error(request, problem.message)
        else:
            messages.info(request, f"The price of {found.pattern} has ended. Past costs stay as they are.")
        return redirect(self.address("providers:prices"))
