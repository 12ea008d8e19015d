"""Addresses that belong to no room: health for load balancers and supervisors."""

from django.urls import path

from apps.core.web import views

urlpatterns = [
    path("healthz", views.liveness, name="healthz"),
    path("readyz", views.readiness, name="readyz"),
]
