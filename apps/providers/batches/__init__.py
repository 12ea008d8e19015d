"""Batch endpoints of providers: many calls handed in at once, answered within a day, at a lower price."""

from apps.providers.batches.endpoints import offers_batches, open_batches

__all__ = ["offers_batches", "open_batches"]
