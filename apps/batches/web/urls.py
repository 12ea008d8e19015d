from django.urls import path

from apps.batches.web import controls, result_views, scale_views, source_views, stopping, stream_views, views

app_name = "batches"

_ROOM = "<slug:organization>/<slug:project>/batches/"
_BATCH = f"{_ROOM}<str:batch>/"
_SCALE = f"{_ROOM}scale-tests/"
_UPLOAD = f"{_ROOM}new/upload/<str:dataset_import>/"

urlpatterns = [
    path(_ROOM, views.BatchListView.as_view(), name="list"),
    path(f"{_ROOM}new/", views.NewBatchView.as_view(), name="new"),
    path(f"{_ROOM}new/upload/", source_views.UploadRowsView.as_view(), name="upload-rows"),
    path(_UPLOAD, source_views.MapRowsView.as_view(), name="map-rows"),
    path(f"{_UPLOAD}format/", source_views.FormatRowsView.as_view(), name="format-rows"),
    path(f"{_ROOM}new/runs/", source_views.RunRowsView.as_view(), name="run-rows"),
    path(f"{_ROOM}new/batch/", source_views.BatchRowsView.as_view(), name="batch-rows"),
    path(f"{_ROOM}new/rows/<str:preparation>/", source_views.PreparedView.as_view(), name="prepared"),
    path(f"{_ROOM}new/estimate/", views.EstimateView.as_view(), name="estimate"),
    path(f"{_ROOM}streams/", stream_views.StreamListView.as_view(), name="streams"),
    path(f"{_ROOM}streams/new/", stream_views.NewStreamView.as_view(), name="stream-new"),
    path(f"{_ROOM}streams/<str:stream>/", stream_views.StreamView.as_view(), name="stream"),
    path(f"{_ROOM}streams/<str:stream>/close/", stream_views.CloseStreamView.as_view(), name="stream-close"),
    path(f"{_ROOM}stop/", stopping.StopChosenView.as_view(), name="stop-chosen"),
    path(f"{_ROOM}pause/", stopping.PauseChosenView.as_view(), name="pause-chosen"),
    path(_SCALE, scale_views.ScaleTestListView.as_view(), name="scale-tests"),
    path(f"{_SCALE}new/", scale_views.NewScaleTestView.as_view(), name="new-scale-test"),
    path(f"{_SCALE}new/estimate/", scale_views.ScaleTestEstimateView.as_view(), name="scale-test-estimate"),
    path(f"{_SCALE}<str:scale_test>/", scale_views.ScaleTestView.as_view(), name="scale-test"),
    path(f"{_SCALE}<str:scale_test>/stop/", scale_views.StopScaleTestView.as_view(), name="stop-scale-test"),
    path(_BATCH, views.BatchView.as_view(), name="detail"),
    path(f"{_BATCH}progress/", views.ProgressView.as_view(), name="progress"),
    path(f"{_BATCH}results/", result_views.ResultsView.as_view(), name="results"),
    path(f"{_BATCH}results/mark/", result_views.MarkView.as_view(), name="mark"),
    path(f"{_BATCH}failures/", result_views.FailuresView.as_view(), name="failures"),
    path(f"{_BATCH}compare/", result_views.CompareView.as_view(), name="compare"),
    path(f"{_BATCH}download/", result_views.DownloadView.as_view(), name="download"),
    path(f"{_BATCH}stop/", stopping.StopView.as_view(), name="stop"),
    path(f"{_BATCH}pause/", controls.PauseView.as_view(), name="pause"),
    path(f"{_BATCH}resume/", controls.ResumeView.as_view(), name="resume"),
    path(f"{_BATCH}retry/", controls.RetryView.as_view(), name="retry"),
    path(f"{_BATCH}keep/", source_views.KeepRowsView.as_view(), name="keep-rows"),
    path(f"{_BATCH}rows/", source_views.BatchRowsFileView.as_view(), name="rows-file"),
    path(f"{_BATCH}control/", controls.ControlView.as_view(), name="control"),
]
