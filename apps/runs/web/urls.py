from django.urls import path

from apps.runs.web import (
    background_views,
    dataset_views,
    feedback_views,
    playground,
    playground_actions,
    views,
)
from apps.runs.web.unknown_price_views import UnknownPricesView

app_name = "runs"

_ROOM = "<slug:organization>/<slug:project>/runs/"
_PLAYGROUND = "<slug:organization>/<slug:project>/playground/"

urlpatterns = [
    path(_PLAYGROUND, playground.PlaygroundView.as_view(), name="playground"),
    path(f"{_PLAYGROUND}token/", playground_actions.TokenView.as_view(), name="playground-token"),
    path(f"{_PLAYGROUND}variables/", playground_actions.VariablesView.as_view(), name="playground-variables"),
    path(f"{_PLAYGROUND}runs/<str:run>/", playground_actions.FactsView.as_view(), name="playground-facts"),
    path(f"{_PLAYGROUND}code/", playground_actions.CodeView.as_view(), name="playground-code"),
    path(f"{_PLAYGROUND}save/", playground_actions.SaveView.as_view(), name="playground-save"),
    path(f"{_PLAYGROUND}rows/", playground_actions.RowsView.as_view(), name="playground-rows"),
    path(_ROOM, views.RunListView.as_view(), name="list"),
    path(f"{_ROOM}panel/", views.RunsPanel.as_view(), name="panel"),
    path(f"{_ROOM}dataset/", dataset_views.AddChosenView.as_view(), name="add-chosen"),
    path(f"{_ROOM}unknown-prices/", UnknownPricesView.as_view(), name="unknown-prices"),
    path(f"{_ROOM}<str:run>/", views.RunView.as_view(), name="detail"),
    path(f"{_ROOM}<str:run>/cancel/", background_views.CancelView.as_view(), name="cancel"),
    path(f"{_ROOM}<str:run>/json/", views.RunJSONView.as_view(), name="json"),
    path(f"{_ROOM}<str:run>/dataset/", dataset_views.AddRunView.as_view(), name="add-to-dataset"),
    path(f"{_ROOM}<str:run>/feedback/", feedback_views.GiveFeedbackView.as_view(), name="give-feedback"),
    path(
        f"{_ROOM}<str:run>/feedback/remove/",
        feedback_views.RemoveFeedbackView.as_view(),
        name="remove-feedback",
    ),
]
