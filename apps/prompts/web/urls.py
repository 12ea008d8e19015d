"""Addresses of the pages of prompts."""

from django.urls import path

from apps.prompts.web import (
    bulk_views,
    draft_views,
    editor_views,
    history_views,
    label_views,
    list_views,
    overview_views,
    serving_views,
    sharing_views,
)
from apps.prompts.web.connection_users import ConnectionUsersView
from apps.prompts.web.retiring import RetiringPromptsView

app_name = "prompts"

PROMPTS = "<slug:organization>/<slug:project>/prompts/"
PROMPT = f"{PROMPTS}<str:prompt>/"

urlpatterns = [
    path(PROMPTS, list_views.PromptListView.as_view(), name="list"),
    path(f"{PROMPTS}new/", list_views.NewPromptView.as_view(), name="new"),
    path(f"{PROMPTS}tag/", bulk_views.TagChosenView.as_view(), name="tag-chosen"),
    path(f"{PROMPTS}move/", bulk_views.MoveChosenView.as_view(), name="move-chosen"),
    path(f"{PROMPTS}archive/", bulk_views.ArchiveChosenView.as_view(), name="archive-chosen"),
    path(f"{PROMPTS}restore/", bulk_views.RestoreChosenView.as_view(), name="restore-chosen"),
    path(f"{PROMPTS}using/", ConnectionUsersView.as_view(), name="using-connection"),
    path(f"{PROMPTS}retiring/", RetiringPromptsView.as_view(), name="retiring"),
    path(PROMPT, overview_views.OverviewView.as_view(), name="detail"),
    path(f"{PROMPT}properties/", overview_views.PropertiesView.as_view(), name="properties"),
    path(f"{PROMPT}archive/", overview_views.ArchiveView.as_view(), name="archive"),
    path(f"{PROMPT}restore/", overview_views.RestoreView.as_view(), name="restore"),
    path(f"{PROMPT}edit/", editor_views.EditView.as_view(), name="edit"),
    path(f"{PROMPT}draft/", draft_views.DraftView.as_view(), name="draft"),
    path(f"{PROMPT}merge/", draft_views.MergeView.as_view(), name="merge"),
    path(f"{PROMPT}preview/", editor_views.PreviewView.as_view(), name="preview"),
    path(f"{PROMPT}history/", history_views.HistoryView.as_view(), name="history"),
    path(f"{PROMPT}versions/<int:number>/", history_views.VersionView.as_view(), name="version"),
    path(
        f"{PROMPT}versions/<int:number>/restore/",
        history_views.RestoreVersionView.as_view(),
        name="restore-version",
    ),
    path(f"{PROMPT}serving/", serving_views.PromptServingView.as_view(), name="serving"),
    path(
        "<slug:organization>/<slug:project>/settings/serving/",
        serving_views.ProjectServingView.as_view(),
        name="project-serving",
    ),
    path(f"{PROMPT}share/", sharing_views.ShareView.as_view(), name="share"),
    path(f"{PROMPT}labels/", label_views.LabelsView.as_view(), name="labels"),
    path(f"{PROMPT}labels/move/", label_views.MoveView.as_view(), name="move"),
    path(f"{PROMPT}labels/<str:label>/rollback/", label_views.RollbackView.as_view(), name="rollback"),
    path(f"{PROMPT}labels/<str:label>/remove/", label_views.RemoveView.as_view(), name="remove"),
]
