from django.urls import path

from apps.batches.api import control_views, result_views, scale_views, source_views, stream_views, views

app_name = "batches-api"

urlpatterns = [
    path("scale_tests", scale_views.ScaleTestListAPI.as_view(), name="scale-tests"),
    path("scale_tests/estimate", scale_views.ScaleTestEstimateAPI.as_view(), name="scale-test-estimate"),
    path("scale_tests/<str:scale_test>", scale_views.ScaleTestAPI.as_view(), name="scale-test"),
    path(
        "scale_tests/<str:scale_test>/cancel",
        scale_views.CancelScaleTestAPI.as_view(),
        name="cancel-scale-test",
    ),
    path("batches", views.BatchListAPI.as_view(), name="list"),
    path("batches/estimate", views.EstimateAPI.as_view(), name="estimate"),
    path("batches/<str:batch>", views.BatchAPI.as_view(), name="detail"),
    path("batches/<str:batch>/pause", control_views.PauseBatchAPI.as_view(), name="pause"),
    path("batches/<str:batch>/resume", control_views.ResumeBatchAPI.as_view(), name="resume"),
    path("batches/<str:batch>/cancel", control_views.CancelBatchAPI.as_view(), name="cancel"),
    path("batches/<str:batch>/rerun", control_views.RerunBatchAPI.as_view(), name="rerun"),
    path("batches/<str:batch>/retry", control_views.RetryBatchAPI.as_view(), name="retry"),
    path("batches/<str:batch>/keep_rows", source_views.KeepRowsAPI.as_view(), name="keep-rows"),
    path("batches/<str:batch>/rows", source_views.BatchRowsAPI.as_view(), name="rows"),
    path("batches/<str:batch>/items", result_views.BatchItemListAPI.as_view(), name="items"),
    path("batches/<str:batch>/results", result_views.BatchResultsAPI.as_view(), name="results"),
    path("batches/<str:batch>/failures", result_views.BatchFailuresAPI.as_view(), name="failures"),
    path("batches/<str:batch>/comparison", result_views.BatchComparisonAPI.as_view(), name="comparison"),
    path("streams", stream_views.StreamListAPI.as_view(), name="streams"),
    path("streams/<str:stream>", stream_views.StreamAPI.as_view(), name="stream"),
    path("streams/<str:stream>/close", stream_views.CloseStreamAPI.as_view(), name="stream-close"),
    path("streams/<str:stream>/results", stream_views.StreamResultsAPI.as_view(), name="stream-results"),
    path("streams/<str:stream>/events", stream_views.StreamEventsAPI.as_view(), name="stream-events"),
]
