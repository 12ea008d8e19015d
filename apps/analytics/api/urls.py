from django.urls import URLPattern, path

from apps.analytics.api import alert_urls, cost_views, incident_urls, version_views, views

app_name = "analytics-api"

urlpatterns: list[URLPattern] = [
    *alert_urls.urlpatterns,
    *incident_urls.urlpatterns,
    path("analytics/series", views.AnalyticsSeriesAPIView.as_view(), name="series"),
    path("analytics/summary", views.AnalyticsSummaryAPIView.as_view(), name="summary"),
    path("analytics/costs", cost_views.AnalyticsCostsAPIView.as_view(), name="costs"),
    path("analytics/versions", version_views.AnalyticsVersionsAPIView.as_view(), name="versions"),
]
