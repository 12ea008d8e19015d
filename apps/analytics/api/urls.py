from django.urls import URLPattern

app_name = "analytics-api"

urlpatterns: list[URLPattern] = []
