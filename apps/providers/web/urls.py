"""Addresses of the pages of provider connections."""

from django.urls import path

from apps.providers.web import views

app_name = "providers"

_ROOT = "<slug:organization>/<slug:project>/settings/providers/"

urlpatterns = [
    path(_ROOT, views.ListView.as_view(), name="list"),
    path(f"{_ROOT}new/", views.NewView.as_view(), name="new"),
    path(f"{_ROOT}<str:connection>/", views.EditView.as_view(), name="edit"),
    path(f"{_ROOT}<str:connection>/delete/", views.DeleteView.as_view(), name="delete"),
    path(f"{_ROOT}<str:connection>/test/", views.TestView.as_view(), name="test"),
]
