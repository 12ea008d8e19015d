"""Addresses of the pages of alert rules."""

from django.urls import path

from apps.analytics.web import alert_actions, alert_views

_ROOM = "<slug:organization>/<slug:project>/alerts/"
_ALERT = f"{_ROOM}<str:alert>/"

urlpatterns = [
    path(_ROOM, alert_views.AlertListView.as_view(), name="alerts"),
    path(f"{_ROOM}new/", alert_views.NewAlertView.as_view(), name="alert-new"),
    path(f"{_ROOM}preview/", alert_views.AlertPreviewView.as_view(), name="alert-preview"),
    path(f"{_ROOM}acknowledge/", alert_actions.AcknowledgeChosenView.as_view(), name="alerts-acknowledge"),
    path(f"{_ROOM}mute/", alert_actions.MuteChosenView.as_view(), name="alerts-mute"),
    path(f"{_ROOM}enable/", alert_actions.EnableChosenView.as_view(), name="alerts-enable"),
    path(f"{_ROOM}disable/", alert_actions.DisableChosenView.as_view(), name="alerts-disable"),
    path(f"{_ROOM}delete/", alert_actions.DeleteChosenView.as_view(), name="alerts-delete"),
    path(_ALERT, alert_views.AlertView.as_view(), name="alert"),
    path(f"{_ALERT}chart/", alert_views.AlertChartView.as_view(), name="alert-chart"),
    path(f"{_ALERT}edit/", alert_views.EditAlertView.as_view(), name="alert-edit"),
    path(f"{_ALERT}delete/", alert_actions.DeleteAlertView.as_view(), name="alert-delete"),
    path(f"{_ALERT}acknowledge/", alert_actions.AcknowledgeView.as_view(), name="alert-acknowledge"),
    path(f"{_ALERT}mute/", alert_actions.MuteView.as_view(), name="alert-mute"),
    path(f"{_ALERT}enable/", alert_actions.EnableView.as_view(), name="alert-enable"),
    path(f"{_ALERT}test/", alert_actions.TestMailView.as_view(), name="alert-test"),
    path(f"{_ALERT}leave/", alert_actions.LeaveView.as_view(), name="alert-leave"),
]
