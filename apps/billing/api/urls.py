"""Addresses of billing's API, under ``/api/v1/``."""

from django.urls import path

from apps.billing.api import views

app_name = "billing-api"

urlpatterns = [path("usage", views.UsageView.as_view(), name="usage")]
