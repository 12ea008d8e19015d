"""Addresses of incidents, under ``/api/v1/``."""

from django.urls import path

from apps.analytics.api import incident_views as views

urlpatterns = [
    path("incidents", views.IncidentsAPIView.as_view(), name="incidents"),
    path("incidents/rule", views.IncidentRuleAPIView.as_view(), name="incident-rule"),
    path("incidents/<str:incident>", views.IncidentAPIView.as_view(), name="incident"),
    path(
        "incidents/<str:incident>/acknowledge",
        views.IncidentAcknowledgeAPIView.as_view(),
        name="incident-acknowledge",
    ),
]
