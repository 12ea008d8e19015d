from django.urls import path

from apps.notifications.api import views

app_name = "notifications-api"

_ENDPOINT = "webhook_endpoints/<str:webhook>"

urlpatterns = [
    path("webhook_endpoints", views.WebhooksAPIView.as_view(), name="list"),
    path(_ENDPOINT, views.WebhookAPIView.as_view(), name="endpoint"),
    path(f"{_ENDPOINT}/rotate_secret", views.RotateSecretAPIView.as_view(), name="rotate"),
    path(f"{_ENDPOINT}/test", views.TestWebhookAPIView.as_view(), name="test"),
    path("webhook_deliveries", views.DeliveriesAPIView.as_view(), name="deliveries"),
    path("webhook_deliveries/<str:delivery>", views.DeliveryAPIView.as_view(), name="delivery"),
    path("webhook_deliveries/<str:delivery>/resend", views.ResendAPIView.as_view(), name="resend"),
]
