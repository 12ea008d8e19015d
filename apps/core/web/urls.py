"""Addresses that belong to no room: health for load balancers and supervisors, the error codes."""

from django.urls import path

from apps.core.web import views

urlpatterns = [
    path("docs/errors", views.error_catalogue, name="error-catalogue"),
    path("healthz", views.liveness, name="healthz"),
    path("readyz", views.readiness, name="readyz"),
]
