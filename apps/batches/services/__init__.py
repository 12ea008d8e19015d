"""Writes of batches: one public function a state change. Call them inside the organization's scope."""

from apps.batches.services.finishing import finish_job
from apps.batches.services.retrying import retry_failed
from apps.batches.services.ringing import ring_pump, ring_pumps
from apps.batches.services.starting import start_batch
from apps.batches.services.stopping import cancel_batch, stop_job

__all__ = ["cancel_batch", "finish_job", "retry_failed", "ring_pump", "ring_pumps", "start_batch", "stop_job"]
