"""Rows of batches."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_PROJECT = "<slug:organization>/<slug:project>"

FILLS = {
    "batch": lambda project: public_id("batches.BatchJob", project),
    "stream": lambda project: public_id("batches.Stream", project),
    "preparation": lambda project: public_id("batches.RowPreparation", project),
}

ROUTES = (
    Route("GET", "api/v1/batches", Permission.BATCHES_VIEW),
    Route("POST", "api/v1/batches", Permission.BATCHES_RUN),
    Route("POST", "api/v1/batches/estimate", Permission.BATCHES_RUN),
    Route("GET", "api/v1/batches/<str:batch>", Permission.BATCHES_VIEW),
    Route("PATCH", "api/v1/batches/<str:batch>", Permission.BATCHES_RUN),
    Route("POST", "api/v1/batches/<str:batch>/pause", Permission.BATCHES_RUN),
    Route("POST", "api/v1/batches/<str:batch>/resume", Permission.BATCHES_RUN),
    Route("POST", "api/v1/batches/<str:batch>/cancel", Permission.BATCHES_RUN),
    Route("POST", "api/v1/batches/<str:batch>/retry", Permission.BATCHES_RUN),
    Route("POST", "api/v1/batches/<str:batch>/rerun", Permission.BATCHES_RUN),
    Route("POST", "api/v1/batches/<str:batch>/keep_rows", Permission.DATASETS_EDIT),
    Route("GET", "api/v1/batches/<str:batch>/rows", Permission.BATCHES_VIEW),
    Route("GET", "api/v1/batches/<str:batch>/items", Permission.BATCHES_VIEW),
    Route("GET", "api/v1/batches/<str:batch>/results", Permission.BATCHES_VIEW),
    Route("GET", "api/v1/batches/<str:batch>/failures", Permission.BATCHES_VIEW),
    Route("GET", "api/v1/batches/<str:batch>/comparison", Permission.BATCHES_VIEW),
    Route("GET", "api/v1/streams", Permission.BATCHES_VIEW),
    Route("POST", "api/v1/streams", Permission.BATCHES_RUN),
    Route("GET", "api/v1/streams/<str:stream>", Permission.BATCHES_VIEW),
    Route("POST", "api/v1/streams/<str:stream>", Permission.BATCHES_RUN),
    Route("POST", "api/v1/streams/<str:stream>/close", Permission.BATCHES_RUN),
    Route("GET", "api/v1/streams/<str:stream>/results", Permission.BATCHES_VIEW),
    Route("GET", "api/v1/streams/<str:stream>/events", Permission.BATCHES_VIEW),
    Route("GET", f"{_PROJECT}/batches/", Permission.BATCHES_VIEW),
    Route("GET", f"{_PROJECT}/batches/new/", Permission.BATCHES_RUN),
    Route("POST", f"{_PROJECT}/batches/new/", Permission.BATCHES_RUN),
    Route("POST", f"{_PROJECT}/batches/new/estimate/", Permission.BATCHES_RUN),
    *(
        Route(method, f"{_PROJECT}/batches/new/{page}/", Permission.BATCHES_RUN)
        for page in ("upload", "upload/<str:dataset_import>", "runs", "batch")
        for method in ("GET", "POST")
    ),
    Route("POST", f"{_PROJECT}/batches/new/upload/<str:dataset_import>/format/", Permission.BATCHES_RUN),
    Route("GET", f"{_PROJECT}/batches/new/rows/<str:preparation>/", Permission.BATCHES_RUN),
    Route("GET", f"{_PROJECT}/batches/<str:batch>/keep/", Permission.DATASETS_EDIT),
    Route("POST", f"{_PROJECT}/batches/<str:batch>/keep/", Permission.DATASETS_EDIT),
    Route("GET", f"{_PROJECT}/batches/<str:batch>/rows/", Permission.BATCHES_VIEW),
    Route("GET", f"{_PROJECT}/batches/stop/", Permission.BATCHES_RUN),
    Route("POST", f"{_PROJECT}/batches/stop/", Permission.BATCHES_RUN),
    Route("GET", f"{_PROJECT}/batches/<str:batch>/", Permission.BATCHES_VIEW),
    Route("GET", f"{_PROJECT}/batches/<str:batch>/progress/", Permission.BATCHES_VIEW),
    Route("GET", f"{_PROJECT}/batches/<str:batch>/results/", Permission.BATCHES_VIEW),
    Route("POST", f"{_PROJECT}/batches/<str:batch>/results/mark/", Permission.RUNS_CREATE),
    Route("GET", f"{_PROJECT}/batches/<str:batch>/failures/", Permission.BATCHES_VIEW),
    Route("GET", f"{_PROJECT}/batches/<str:batch>/compare/", Permission.BATCHES_VIEW),
    Route("GET", f"{_PROJECT}/batches/<str:batch>/download/", Permission.BATCHES_VIEW),
    Route("POST", f"{_PROJECT}/batches/<str:batch>/stop/", Permission.BATCHES_RUN),
    Route("POST", f"{_PROJECT}/batches/<str:batch>/retry/", Permission.BATCHES_RUN),
    Route("POST", f"{_PROJECT}/batches/<str:batch>/pause/", Permission.BATCHES_RUN),
    Route("POST", f"{_PROJECT}/batches/<str:batch>/resume/", Permission.BATCHES_RUN),
    Route("GET", f"{_PROJECT}/batches/<str:batch>/control/", Permission.BATCHES_VIEW),
    Route("POST", f"{_PROJECT}/batches/<str:batch>/control/", Permission.BATCHES_RUN),
)
