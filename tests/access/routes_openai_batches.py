"""Rows of the addresses that OpenAI's clients ask for files and batches."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

FILLS = {
    "file": lambda project: public_id("batches.OpenAIFile", project),
    "batch": lambda project: public_id("batches.OpenAIBatch", project),
}

ROUTES = (
    Route("GET", "v1/files", Permission.BATCHES_VIEW),
    Route("POST", "v1/files", Permission.BATCHES_RUN),
    Route("GET", "v1/files/<str:file>", Permission.BATCHES_VIEW),
    Route("DELETE", "v1/files/<str:file>", Permission.BATCHES_RUN),
    Route("GET", "v1/files/<str:file>/content", Permission.BATCHES_VIEW),
    Route("GET", "v1/batches", Permission.BATCHES_VIEW),
    Route("POST", "v1/batches", Permission.BATCHES_RUN),
    Route("GET", "v1/batches/<str:batch>", Permission.BATCHES_VIEW),
    Route("POST", "v1/batches/<str:batch>/cancel", Permission.BATCHES_RUN),
)
