"""Addresses of the pages that compose rooms."""

from django.urls import path

from apps.dashboard.web.styleguide import StyleguideView

app_name = "dashboard"

urlpatterns = [
    path("styleguide/", StyleguideView.as_view(), name="styleguide"),
]
