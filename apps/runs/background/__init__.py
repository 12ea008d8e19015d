"""Runs that are accepted at once and carried out by workers.

Postgres is the truth, Redis the bell: a row waits in `BackgroundRun`, a pump claims it under a lease with a
fence, and the run, its usage and the row's end commit together.
"""
