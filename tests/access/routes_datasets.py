"""Rows of datasets."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_ROOM = "<slug:organization>/<slug:project>/datasets/"

_ROW = f"{_ROOM}<str:dataset>/rows/<int:place>.<int:sequence>/"

FILLS = {
    "place": lambda project: "1",
    "sequence": lambda project: "0",
    "number": lambda project: "1",
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
    Route("GET", f"{_ROOM}versions/<str:version>/original/", Permission.DATASETS_VIEW),
    Route("GET", f"{_ROOM}<str:dataset>/", Permission.DATASETS_VIEW),
    Route("GET", f"{_ROOM}<str:dataset>/rows/new/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}<str:dataset>/rows/new/", Permission.DATASETS_EDIT),
    Route("GET", _ROW, Permission.DATASETS_EDIT),
    Route("POST", _ROW, Permission.DATASETS_EDIT),
    Route("POST", f"{_ROW}remove/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROW}undo/", Permission.DATASETS_EDIT),
    Route("GET", f"{_ROOM}<str:dataset>/draft/publish/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}<str:dataset>/draft/publish/", Permission.DATASETS_EDIT),
    Route("GET", f"{_ROOM}<str:dataset>/draft/discard/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}<str:dataset>/draft/discard/", Permission.DATASETS_EDIT),
    Route("GET", f"{_ROOM}<str:dataset>/versions/", Permission.DATASETS_VIEW),
    Route("GET", f"{_ROOM}<str:dataset>/versions/<int:number>/restore/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}<str:dataset>/versions/<int:number>/restore/", Permission.DATASETS_EDIT),
    Route("GET", f"{_ROOM}<str:dataset>/columns/", Permission.DATASETS_VIEW),
    Route("POST", f"{_ROOM}<str:dataset>/columns/", Permission.DATASETS_EDIT),
    Route("GET", f"{_ROOM}<str:dataset>/download/", Permission.DATASETS_VIEW),
    Route("GET", f"{_ROOM}<str:dataset>/settings/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}<str:dataset>/settings/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}<str:dataset>/archive/", Permission.DATASETS_EDIT),
    Route("GET", f"{_ROOM}<str:dataset>/delete/", Permission.DATASETS_EDIT),
    Route("POST", f"{_ROOM}<str:dataset>/delete/", Permission.DATASETS_EDIT),
    Route("GET", "api/v1/datasets", Permission.DATASETS_VIEW),
    Route("POST", "api/v1/datasets", Permission.DATASETS_EDIT),
    Route("GET", "api/v1/datasets/<str:dataset>", Permission.DATASETS_VIEW),
    Route("PATCH", "api/v1/datasets/<str:dataset>", Permission.DATASETS_EDIT),
    Route("DELETE", "api/v1/datasets/<str:dataset>", Permission.DATASETS_EDIT),
    Route("POST", "api/v1/datasets/<str:dataset>/rows", Permission.DATASETS_EDIT),
    Route("PUT", "api/v1/datasets/<str:dataset>/rows", Permission.DATASETS_EDIT),
    Route("GET", "api/v1/datasets/<str:dataset>/versions", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/dataset_versions/<str:version>/export", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/dataset_versions/<str:version>/original", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/dataset_versions/<str:version>/compare", Permission.DATASETS_VIEW),
    Route("POST", "api/v1/dataset_versions/<str:version>/restore", Permission.DATASETS_EDIT),
    Route("GET", "api/v1/dataset_versions/<str:version>", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/dataset_versions/<str:version>/rows", Permission.DATASETS_VIEW),
    Route("GET", "api/v1/dataset_versions/<str:version>/problems", Permission.DATASETS_VIEW),
    Route("POST", "api/v1/dataset_imports", Permission.DATASETS_EDIT),
    Route("GET", "api/v1/dataset_imports/<str:dataset_import>", Permission.DATASETS_VIEW),
    Route("POST", "api/v1/dataset_imports/<str:dataset_import>/import", Permission.DATASETS_EDIT),
)
