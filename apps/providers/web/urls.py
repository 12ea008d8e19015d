"""Addresses of the pages of connections, aliases, models and prices."""

from django.urls import path

from apps.providers.web import alias_views, price_views, views

app_name = "providers"

_ROOT = "<slug:organization>/<slug:project>/settings/providers/"

urlpatterns = [
    path(_ROOT, views.ListView.as_view(), name="list"),
    path(f"{_ROOT}new/", views.NewView.as_view(), name="new"),
    path(f"{_ROOT}default/", views.DefaultModelView.as_view(), name="default"),
    path(f"{_ROOT}aliases/", alias_views.AliasesView.as_view(), name="aliases"),
    path(f"{_ROOT}aliases/new/", alias_views.NewAliasView.as_view(), name="alias-new"),
    path(f"{_ROOT}aliases/<str:alias>/", alias_views.EditAliasView.as_view(), name="alias-edit"),
    path(f"{_ROOT}aliases/<str:alias>/delete/", alias_views.DeleteAliasView.as_view(), name="alias-delete"),
    path(f"{_ROOT}prices/", price_views.PricesView.as_view(), name="prices"),
    path(f"{_ROOT}prices/new/", price_views.NewPriceView.as_view(), name="price-new"),
    path(f"{_ROOT}prices/<str:price>/end/", price_views.EndPriceView.as_view(), name="price-end"),
    path(f"{_ROOT}<str:connection>/", views.EditView.as_view(), name="edit"),
    path(f"{_ROOT}<str:connection>/models/", views.ModelsView.as_view(), name="models"),
    path(f"{_ROOT}<str:connection>/delete/", views.DeleteView.as_view(), name="delete"),
    path(f"{_ROOT}<str:connection>/test/", views.TestView.as_view(), name="test"),
]
