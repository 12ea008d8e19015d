"""Pages of models with their prices, and of own prices."""

from typing import Any, ClassVar, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone

from apps.core.errors import Conflict, InvalidRequest
from apps.providers import queries, services
from apps.providers.catalogue import models_with_prices, price_book
from apps.providers.web.base import ProvidersPage
from apps.providers.web.forms import PriceForm
from apps.providers.web.listing import PRICES
from apps.tenants.roles import Permission

MOST_SHOWN: Final = 200
# The list of own prices has `q`.
LOOK_UP: Final = "model"


class PricesPage(ProvidersPage, abstract=True):
    """Models with prices and the own prices; pages with a dialog show it over them."""

    def prices_page(self, **more: Any) -> HttpResponseBase:
        """The page, with whatever a dialog needs."""
        asked = PRICES.read(self.request.GET)
        found = queries.list_prices(
            self.project.id,
            now=timezone.now(),
            search=asked.search,
            state=asked.filters["state"],
            serves=asked.filters["serves"],
        )
        page_alone = {} if asked.export or asked.count else self._models()
        context = {**self.frame("prices"), **page_alone, **more}
        return self.list_page(PRICES, asked, found, "providers/prices.html", context)

    def _models(self) -> dict[str, Any]:
        """Every model with the price that holds for it now, narrowed by the look-up's own search."""
        search = self.request.GET.get(LOOK_UP, "").strip()
        rules = tuple(map(queries.rule_of, queries.prices_of(self.project.id)))
        models = models_with_prices(self.project.id, rules)
        matching = [model for model in models if search.lower() in model.choice.reference.lower()]
        return {
            "search": search,
            "models": matching[:MOST_SHOWN],
            "model_count": len(matching),
            "unknown_count": sum(model.current.status == "unknown" for model in models),
        }


class PricesView(PricesPage):
    """What every model costs, and why."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
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

    def get(self, request: HttpRequest, price: str, **_: str) -> HttpResponseBase:
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
