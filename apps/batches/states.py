"""What batches and their rows can be: the words of their columns."""

from datetime import timedelta

from django.db import models

LARGEST_CONCURRENCY = 256
COMPLETION_WINDOW = timedelta(hours=24)


class JobStatus(models.TextChoices):
    """The words of OpenAI's batch object, and two of our own: scheduled and paused."""

    VALIDATING = "validating", "Checking"
    SCHEDULED = "scheduled", "Scheduled"
    IN_PROGRESS = "in_progress", "Running"
    PAUSED = "paused", "Paused"
    FINALIZING = "finalizing", "Finishing"
    COMPLETED = "completed", "Finished"
    FAILED = "failed", "Failed"
    CANCELLING = "cancelling", "Stopping"
    CANCELLED = "cancelled", "Stopped"
    EXPIRED = "expired", "Expired"


TERMINAL_STATUSES = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.EXPIRED})
"""Nothing runs or will run, until a retry opens the job again."""


class StopReason(models.TextChoices):
    """Why a job ended before its last row."""

    NONE = "", "Not stopped"
    REQUESTED = "requested", "Stopped on request"
    COST_CAP = "cost_cap", "The cost cap was reached"
    QUOTA = "quota", "The month's quota is used up"
    EXPIRED = "expired", "Not finished by its deadline"


class PauseReason(models.TextChoices):
    """Why a job waits in the middle."""

    NONE = "", "Not paused"
    REQUESTED = "requested", "Paused on request"
    SAMPLE = "sample", "The sample is through"


class Source(models.TextChoices):
    """Where a job's rows come from."""

    DATASET = "dataset", "Dataset"
    UPLOAD = "upload", "Uploaded file"
    ROWS = "rows", "Rows of a request"
    RUNS = "runs", "Earlier runs"
    BATCH = "batch", "Rows of another batch"
    FILE = "file", "OpenAI batch file"
    STREAM = "stream", "Stream"


class Priority(models.IntegerChoices):
    """Whose rows come first among an organization's jobs."""

    LOW = -1, "Low"
    NORMAL = 0, "Normal"
    HIGH = 1, "High"


class Delivery(models.TextChoices):
    """How rows reach the provider."""

    DIRECT = "direct", "Call by call"
    PROVIDER_BATCH = "provider_batch", "The provider's batch endpoint"


ALL_ROWS_ADDED = 2**31 - 1
"""`next_number` of jobs from the time when all rows were written at the start."""


class ItemStatus(models.TextChoices):
    """How a row stands."""

    PENDING = "pending", "Waiting"
    RUNNING = "running", "In flight"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Stopped"


class CostStatus(models.TextChoices):
    """What an amount of money means; `unknown` has no amount and is never shown as zero."""

    NONE = "", "No cost"
    PRICED = "priced", "Priced"
    FREE = "free", "Free"
    UNKNOWN = "unknown", "Price unknown"
    SANDBOX = "sandbox", "Sandbox, not real money"
