"""Plain functions that make rows for tests. Each room has its own section; keyword arguments with defaults.

Factories open the organization's scope themselves, so they work inside and outside of it.
``@tenant_factory("prompts.Prompt")`` registers a function that makes one row of a TenantModel in a given
project; the isolation tests demand one for every TenantModel.
"""
