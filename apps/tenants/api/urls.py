"""Addresses of tenants' API, under ``/api/v1/``."""

from django.urls import path

from apps.tenants.api import views

app_name = "tenants-api"

urlpatterns = [
    path("me", views.MeView.as_view(), name="me"),
    path("organization", views.OrganizationAPIView.as_view(), name="organization"),
    path("projects", views.ProjectsAPIView.as_view(), name="projects"),
    path("keys", views.KeysAPIView.as_view(), name="keys"),
    path("keys/<str:key>", views.KeyAPIView.as_view(), name="key"),
]
