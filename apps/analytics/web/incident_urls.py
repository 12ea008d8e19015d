"""Addresses of the pages of incidents."""

from django.urls import path

from apps.analytics.web import incident_views

_ROOM = "<slug:organization>/<slug:project>/incidents/"
_INCIDENT = f"{_ROOM}<str:incident>/"

urlpatterns = [
    path(_ROOM, incident_views.IncidentListView.as_view(), name="incidents"),
    path(
        f"{_ROOM}acknowledge/",
        incident_views.AcknowledgeChosenIncidentsView.as_view(),
        name="incidents-acknowledge",
    ),
    path(f"{_ROOM}rule/", incident_views.IncidentRuleView.as_view(), name="incident-rule"),
    path(_INCIDENT, incident_views.IncidentView.as_view(), name="incident"),
    path(
        f"{_INCIDENT}acknowledge/",
        incident_views.AcknowledgeIncidentView.as_view(),
        name="incident-acknowledge",
    ),
]
