"""Addresses of the providers' API, under ``/api/v1/``."""

from django.urls import path

from apps.providers.api import alias_views, health_views, price_views, views

app_name = "providers-api"

urlpatterns = [
    path("providers", views.ConnectionsView.as_view(), name="connections"),
    path("providers/<str:connection>", views.ConnectionView.as_view(), name="connection"),
    path("providers/<str:connection>/test", views.ConnectionTestView.as_view(), name="test"),
    path("providers/<str:connection>/health", health_views.ConnectionHealthView.as_view(), name="health"),
    path("models", views.ModelsView.as_view(), name="models"),
    path("models/default", views.DefaultModelView.as_view(), name="default-model"),
    path("model_aliases", alias_views.ModelAliasesView.as_view(), name="aliases"),
    path("model_aliases/<str:alias>", alias_views.ModelAliasView.as_view(), name="alias"),
    path("prices", price_views.PricesView.as_view(), name="prices"),
    path("prices/<str:price>", price_views.PriceView.as_view(), name="price"),
    path("prices/<str:price>/end", price_views.PriceEndView.as_view(), name="price-end"),
]
