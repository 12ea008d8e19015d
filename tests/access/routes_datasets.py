"""Rows of datasets."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_ROOM = "<slug:organization>/<slug:project>/datasets/"

FILLS = {
    "dataset": lambda project: public_id("datasets.Dataset", project),
    "dataset_import": lambda project: public_id("datasets.DatasetImport", project),
    "version": lambda project: public_id("datasets.DatasetVersion", project),
}

ROUTES = (
    Route("GET", _ROOM, Permission.DATASETS_VIEW),
    Route("GET", f"{_ROOM}new/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}new/", Permission.DATASETS_EDIT),
    Route("GET", f"{_ROOM}imports/<str:dataset_import>/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}imports/<str:dataset_import>/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}imports/<str:dataset_import>/format/", Permission.DATASETS_EDIT),
    Route("GET", f"{_ROOM}versions/<str:version>/problems/", Permission.DATASETS_VIEW),
    Route("GET", f"{_ROOM}<str:dataset>/", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/datasets", Permission.DATASETS_VIEW),
    Route("POST", "api/v1/datasets", Permission.DATASETS_EDIT),
    Route("GET", "api/v1/datasets/<str:dataset>", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/datasets/<str:dataset>/versions", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/dataset_versions/<str:version>", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/dataset_versions/<str:version>/rows", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/dataset_versions/<str:version>/problems", Permission.DATASETS_VIEW),
    Route("POST", "api/v1/dataset_imports", Permission.DATASETS_EDIT),
    Route("GET", "api/v1/dataset_imports/<str:dataset_import>", Permission.DATASETS_VIEW),
    Route("POST", "api/v1/dataset_imports/<str:dataset_import>/import", Permission.DATASETS_EDIT),
)
