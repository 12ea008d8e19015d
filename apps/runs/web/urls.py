from django.urls import path

from apps.runs.web import playground, playground_actions, views
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
    path(f"{_ROOM}unknown-prices/", UnknownPricesView.as_view(), name="unknown-prices"),
    path(f"{_ROOM}<str:run>/", views.RunView.as_view(), name="detail"),
]
