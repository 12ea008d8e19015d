"""The whole database as one file, and back into an empty one. Redis holds nothing that needs keeping.

The file is a zip of one COPY text per table and a `manifest.json`. Postgres' own pg_dump would need a role
that passes row security, and a program that the embedded server does not bring along. Secrets and payloads
stay sealed in the file: the master keys are not in it and must be kept elsewhere.
"""
