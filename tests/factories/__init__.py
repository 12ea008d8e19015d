"""Plain functions that make rows for tests, a module a room; keyword arguments with defaults.

Factories open the organization's scope themselves, so they work inside and outside of it.
``@tenant_factory("prompts.Prompt")`` registers a function that makes one row of a TenantModel in a given
project; the isolation tests demand one for every TenantModel.
"""

import tests.factories.core
import tests.factories.exports
import tests.factories.openai_batches  # noqa: F401
from tests.factories.alerts import make_alert_event, make_alert_rule
from tests.factories.analytics import make_rollup, make_segment
from tests.factories.batches import SENTIMENT_SCHEMA, make_batch
from tests.factories.billing import make_quota
from tests.factories.cached_answers import make_cache_entry
from tests.factories.datasets import make_dataset_import, make_dataset_version
from tests.factories.erasure import make_erasure
from tests.factories.incidents import make_incident
from tests.factories.notifications import make_webhook
from tests.factories.prompts import make_content, make_prompt
from tests.factories.providers import make_connection, make_price
from tests.factories.registry import TENANT_FACTORIES, tenant_factory
from tests.factories.retention import make_hold, make_policy
from tests.factories.runs import make_background_run, make_run, make_run_record
from tests.factories.scale_tests import make_scale_test
from tests.factories.tenants import (
    PASSWORD,
    make_api_key,
    make_member,
    make_organization,
    make_project,
    make_user,
    owner_of,
)

__all__ = [
    "PASSWORD",
    "SENTIMENT_SCHEMA",
    "TENANT_FACTORIES",
    "make_alert_event",
    "make_alert_rule",
    "make_api_key",
    "make_background_run",
    "make_batch",
    "make_cache_entry",
    "make_connection",
    "make_content",
    "make_dataset_import",
    "make_dataset_version",
    "make_erasure",
    "make_hold",
    "make_incident",
    "make_member",
    "make_organization",
    "make_policy",
    "make_price",
    "make_project",
    "make_prompt",
    "make_quota",
    "make_rollup",
    "make_run",
    "make_run_record",
    "make_scale_test",
    "make_segment",
    "make_user",
    "make_webhook",
    "owner_of",
    "tenant_factory",
]
