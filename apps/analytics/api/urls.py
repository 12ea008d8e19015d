from django.urls import URLPattern, path

from apps.analytics.api import views

app_name = "analytics-api"

urlpatterns: list[URLPattern] = [
    path("analytics/series", views.AnalyticsSeriesAPIView.as_view(), name="series"),
    path("analytics/summary", views.AnalyticsSummaryAPIView.as_view(), name="summary"),
]
