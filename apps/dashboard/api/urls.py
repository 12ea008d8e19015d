"""Addresses of the gallery's API."""

from django.urls import path

from apps.dashboard.api import views

app_name = "dashboard-api"

urlpatterns = [
    path("gallery", views.GalleryAPIView.as_view(), name="gallery"),
    path("gallery/<slug:name>/install", views.InstallAPIView.as_view(), name="install"),
]
