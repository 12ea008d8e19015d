"""Writes of batches: one public function a state change. Call them inside the organization's scope."""

from apps.batches.services.changing import BatchChanges, change_batch
from apps.batches.services.finishing import finish_job
from apps.batches.services.pausing import pause_batch, resume_batch
from apps.batches.services.preparing import keep_rows, prepare_rows, start_batch_from
from apps.batches.services.preparing_work import sweep_preparations
from apps.batches.services.purging import purge_unused_rows
from apps.batches.services.rerunning import rerun_batch, run_rule
from apps.batches.services.retrying import RetryChoice, retry_failed
from apps.batches.services.ringing import keep_rings, ring_pump, ring_pumps
from apps.batches.services.scheduling import start_scheduled
from apps.batches.services.starting import start_batch
from apps.batches.services.stopping import cancel_batch, stop_job

__all__ = [
    "BatchChanges",
    "RetryChoice",
    "cancel_batch",
    "change_batch",
    "finish_job",
    "keep_rings",
    "keep_rows",
    "pause_batch",
    "prepare_rows",
    "purge_unused_rows",
    "rerun_batch",
    "resume_batch",
    "retry_failed",
    "ring_pump",
    "ring_pumps",
    "run_rule",
    "start_batch",
    "start_batch_from",
    "start_scheduled",
    "stop_job",
    "sweep_preparations",
]
