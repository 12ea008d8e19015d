from django.urls import path

from apps.batches.api import control_views, result_views, views

app_name = "batches-api"

urlpatterns = [
    path("batches", views.BatchListAPI.as_view(), name="list"),
    path("batches/estimate", views.EstimateAPI.as_view(), name="estimate"),
    path("batches/<str:batch>", views.BatchAPI.as_view(), name="detail"),
    path("batches/<str:batch>/pause", control_views.PauseBatchAPI.as_view(), name="pause"),
    path("batches/<str:batch>/resume", control_views.ResumeBatchAPI.as_view(), name="resume"),
    path("batches/<str:batch>/cancel", control_views.CancelBatchAPI.as_view(), name="cancel"),
    path("batches/<str:batch>/retry", control_views.RetryBatchAPI.as_view(), name="retry"),
    path("batches/<str:batch>/items", result_views.BatchItemListAPI.as_view(), name="items"),
    path("batches/<str:batch>/results", result_views.BatchResultsAPI.as_view(), name="results"),
    path("batches/<str:batch>/failures", result_views.BatchFailuresAPI.as_view(), name="failures"),
    path("batches/<str:batch>/comparison", result_views.BatchComparisonAPI.as_view(), name="comparison"),
]
