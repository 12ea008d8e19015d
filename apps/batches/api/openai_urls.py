"""Addresses below /v1/, where OpenAI's clients look for them."""

from django.urls import path

from apps.batches.api import openai_batches, openai_files

app_name = "openai-batches"

urlpatterns = [
    path("files", openai_files.OpenAIFileListAPI.as_view(), name="files"),
    path("files/<str:file>", openai_files.OpenAIFileAPI.as_view(), name="file"),
    path("files/<str:file>/content", openai_files.OpenAIFileContentAPI.as_view(), name="content"),
    path("batches", openai_batches.OpenAIBatchListAPI.as_view(), name="batches"),
    path("batches/<str:batch>", openai_batches.OpenAIBatchAPI.as_view(), name="batch"),
    path("batches/<str:batch>/cancel", openai_batches.CancelOpenAIBatchAPI.as_view(), name="cancel"),
]
