"""Guardrails: pure rules over texts; no models, no network, no Django."""
