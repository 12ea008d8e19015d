"""Addresses of the prompts API. Names hold slashes, so the longer addresses come first.

A prompt itself, its ``render`` and its ``run`` are answered by the gateway.
"""

from django.urls import path

from apps.prompts.api import library_views, serving_views, views

app_name = "prompts-api"

urlpatterns = [
    path("prompts", library_views.PromptsAPIView.as_view(), name="prompts"),
    path("prompts/bulk", library_views.BulkAPIView.as_view(), name="bulk"),
    path("prompts/<path:name>/versions", views.VersionsAPIView.as_view(), name="versions"),
    path("prompts/<path:name>/versions/<int:number>", views.VersionAPIView.as_view(), name="version"),
    path("prompts/<path:name>/versions/<int:number>/restore", views.RestoreAPIView.as_view(), name="restore"),
    path("prompts/<path:name>/labels", views.LabelsAPIView.as_view(), name="labels"),
    path("prompts/<path:name>/labels/<str:label>", views.LabelAPIView.as_view(), name="label"),
    path(
        "prompts/<path:name>/labels/<str:label>/history",
        views.LabelHistoryAPIView.as_view(),
        name="label-history",
    ),
    path(
        "prompts/<path:name>/labels/<str:label>/rollback",
        views.LabelRollbackAPIView.as_view(),
        name="label-rollback",
    ),
    path("prompts/<path:name>/diff", views.DiffAPIView.as_view(), name="diff"),
    path("prompts/<path:name>/serving", serving_views.PromptServingAPIView.as_view(), name="serving"),
    path("serving_policy", serving_views.ProjectServingAPIView.as_view(), name="project-serving"),
    path("prompts/<path:name>", library_views.ChangePromptAPIView.as_view(), name="prompt"),
]
