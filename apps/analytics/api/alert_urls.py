"""Addresses of alert rules, under ``/api/v1/``."""

from django.urls import path

from apps.analytics.api import alert_views as views

urlpatterns = [
    path("alerts", views.AlertsAPIView.as_view(), name="alerts"),
    path("alerts/preview", views.AlertPreviewAPIView.as_view(), name="alert-preview"),
    path("alerts/<str:alert>", views.AlertAPIView.as_view(), name="alert"),
    path(
        "alerts/<str:alert>/acknowledge",
        views.AlertAcknowledgeAPIView.as_view(),
        name="alert-acknowledge",
    ),
    path("alerts/<str:alert>/mute", views.AlertMuteAPIView.as_view(), name="alert-mute"),
    path("alerts/<str:alert>/test", views.AlertTestAPIView.as_view(), name="alert-test"),
    path("alerts/<str:alert>/events", views.AlertEventsAPIView.as_view(), name="alert-events"),
]
