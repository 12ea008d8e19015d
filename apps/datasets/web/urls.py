from django.urls import path

from apps.datasets.web import views

app_name = "datasets"

_ROOM = "<slug:organization>/<slug:project>/datasets/"

urlpatterns = [
    path(_ROOM, views.DatasetListView.as_view(), name="list"),
    path(f"{_ROOM}new/", views.UploadView.as_view(), name="upload"),
    path(f"{_ROOM}imports/<str:dataset_import>/", views.MappingView.as_view(), name="mapping"),
    path(f"{_ROOM}imports/<str:dataset_import>/format/", views.FormatView.as_view(), name="format"),
    path(f"{_ROOM}versions/<str:version>/problems/", views.ProblemsView.as_view(), name="problems"),
    path(f"{_ROOM}<str:dataset>/", views.DatasetView.as_view(), name="detail"),
]
