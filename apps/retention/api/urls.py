from django.urls import URLPattern

app_name = "retention-api"

urlpatterns: list[URLPattern] = []
