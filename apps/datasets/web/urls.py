from django.urls import path

from apps.datasets.web import row_views, settings_views, version_views, views

app_name = "datasets"

_ROOM = "<slug:organization>/<slug:project>/datasets/"
_DATASET = f"{_ROOM}<str:dataset>/"
_ROW = f"{_DATASET}rows/<int:place>.<int:sequence>/"

urlpatterns = [
    path(_ROOM, views.DatasetListView.as_view(), name="list"),
    path(f"{_ROOM}new/", views.UploadView.as_view(), name="upload"),
    path(f"{_ROOM}imports/<str:dataset_import>/", views.MappingView.as_view(), name="mapping"),
    path(f"{_ROOM}imports/<str:dataset_import>/format/", views.FormatView.as_view(), name="format"),
    path(f"{_ROOM}versions/<str:version>/problems/", views.ProblemsView.as_view(), name="problems"),
    path(f"{_ROOM}versions/<str:version>/original/", version_views.OriginalView.as_view(), name="original"),
    path(_DATASET, row_views.DatasetView.as_view(), name="detail"),
    path(f"{_DATASET}rows/new/", row_views.NewRowView.as_view(), name="new-row"),
    path(_ROW, row_views.RowView.as_view(), name="row"),
    path(f"{_ROW}remove/", row_views.RowActionView.as_view(), {"action": "remove"}, name="remove-row"),
    path(f"{_ROW}undo/", row_views.RowActionView.as_view(), {"action": "undo"}, name="undo-row"),
    path(f"{_DATASET}draft/publish/", row_views.PublishView.as_view(), name="publish"),
    path(f"{_DATASET}draft/discard/", row_views.DiscardView.as_view(), name="discard"),
    path(f"{_DATASET}versions/", version_views.VersionsView.as_view(), name="versions"),
    path(f"{_DATASET}versions/<int:number>/restore/", version_views.RestoreView.as_view(), name="restore"),
    path(f"{_DATASET}columns/", version_views.ColumnsView.as_view(), name="columns"),
    path(f"{_DATASET}download/", version_views.DownloadView.as_view(), name="download"),
    path(f"{_DATASET}settings/", settings_views.SettingsView.as_view(), name="settings"),
    path(f"{_DATASET}archive/", settings_views.ArchiveView.as_view(), name="archive"),
    path(f"{_DATASET}delete/", settings_views.DeleteView.as_view(), name="delete"),
]
