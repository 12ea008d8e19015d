from django.urls import path

from apps.notifications.web import delivery_views, views

app_name = "notifications"

_ROOM = "<slug:organization>/<slug:project>/settings/webhooks/"
_DELIVERY = f"{_ROOM}deliveries/<str:delivery>/"
_WEBHOOK = f"{_ROOM}<str:webhook>/"

urlpatterns = [
    path(_ROOM, views.ListView.as_view(), name="list"),
    path(f"{_ROOM}new/", views.NewView.as_view(), name="new"),
    path(f"{_ROOM}events/", views.EventsView.as_view(), name="events"),
    path(f"{_ROOM}deliveries/", delivery_views.DeliveriesView.as_view(), name="deliveries"),
    path(_DELIVERY, delivery_views.DeliveryView.as_view(), name="delivery"),
    path(f"{_DELIVERY}resend/", delivery_views.ResendView.as_view(), name="resend"),
    path(_WEBHOOK, views.WebhookView.as_view(), name="endpoint"),
    path(f"{_WEBHOOK}edit/", views.EditView.as_view(), name="edit"),
    path(f"{_WEBHOOK}rotate/", views.RotateView.as_view(), name="rotate"),
    path(f"{_WEBHOOK}enable/", views.EnableView.as_view(), name="enable"),
    path(f"{_WEBHOOK}test/", views.TestView.as_view(), name="test"),
    path(f"{_WEBHOOK}delete/", views.DeleteView.as_view(), name="delete"),
]
