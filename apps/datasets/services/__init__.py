"""Writes of datasets. Call inside the organization's scope."""

from apps.datasets.limits import MAX_FILE_BYTES, MAX_ROWS
from apps.datasets.services.drafts import (
    add_row,
    change_row,
    discard_draft,
    publish_draft,
    remove_row,
    undo_change,
)
from apps.datasets.services.hidden import (
    append_batch_rows,
    create_batch_rows,
    finish_batch_rows,
    keep_dataset,
    store_batch_rows,
    upload_rows,
)
from apps.datasets.services.import_work import sweep_imports, work_off
from apps.datasets.services.importing import import_rows, start_import
from apps.datasets.services.lifecycle import (
    archive_dataset,
    create_dataset,
    delete_dataset,
    rename_dataset,
    unarchive_dataset,
)
from apps.datasets.services.purging import purge_deleted
from apps.datasets.services.uploading import choose_format, upload_file
from apps.datasets.services.versions import (
    append_rows,
    change_columns,
    create_version,
    replace_rows,
    restore_version,
)

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_ROWS",
    "add_row",
    "append_batch_rows",
    "append_rows",
    "archive_dataset",
    "change_columns",
    "change_row",
    "choose_format",
    "create_batch_rows",
    "create_dataset",
    "create_version",
    "delete_dataset",
    "discard_draft",
    "finish_batch_rows",
    "import_rows",
    "keep_dataset",
    "publish_draft",
    "purge_deleted",
    "remove_row",
    "rename_dataset",
    "replace_rows",
    "restore_version",
    "start_import",
    "store_batch_rows",
    "sweep_imports",
    "unarchive_dataset",
    "undo_change",
    "upload_file",
    "upload_rows",
    "work_off",
]
