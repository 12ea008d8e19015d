from django.urls import path

from apps.runs.web import views

app_name = "runs"

_ROOM = "<slug:organization>/<slug:project>/runs/"

urlpatterns = [
    path(_ROOM, views.RunListView.as_view(), name="list"),
    path(f"{_ROOM}<str:run>/", views.RunView.as_view(), name="detail"),
]
