from django.urls import path

from apps.runs.api import views

app_name = "runs-api"

urlpatterns = [
    path("runs", views.RunsAPIView.as_view(), name="list"),
    path("runs/<str:run>", views.RunAPIView.as_view(), name="detail"),
]
