from django.urls import path

from apps.runs.api import feedback_views, views

app_name = "runs-api"

urlpatterns = [
    path("runs", views.RunsAPIView.as_view(), name="list"),
    path("runs/<str:run>", views.RunAPIView.as_view(), name="detail"),
    path("runs/<str:run>/cancel", views.CancelRunAPIView.as_view(), name="cancel"),
    path("runs/<str:run>/feedback", feedback_views.RunFeedbackAPIView.as_view(), name="run-feedback"),
    path(
        "runs/<str:run>/feedback/<str:feedback>",
        feedback_views.OneFeedbackAPIView.as_view(),
        name="one-feedback",
    ),
    path("feedback", feedback_views.FeedbackListAPIView.as_view(), name="feedback"),
]
