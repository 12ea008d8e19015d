"""Addresses of the providers' API, under ``/api/v1/``."""

from django.urls import path

from apps.providers.api import views

app_name = "providers-api"

urlpatterns = [
    path("providers", views.ConnectionsView.as_view(), name="connections"),
    path("providers/<str:connection>", views.ConnectionView.as_view(), name="connection"),
    path("providers/<str:connection>/test", views.ConnectionTestView.as_view(), name="test"),
    path("models", views.ModelsView.as_view(), name="models"),
]
