"""Addresses of billing's pages."""

from django.urls import path

from apps.billing.web import views

app_name = "billing"

urlpatterns = [path("<slug:organization>/settings/usage/", views.UsageView.as_view(), name="usage")]
