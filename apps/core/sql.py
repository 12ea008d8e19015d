"""Pieces of SQL that more than one room writes."""

from typing import Final

# UUIDv7 made by the database: `uuidv7()` exists from Postgres 18 on only.
UUID7: Final = """encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing substring(
    int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
    52, 1), 53, 1), 'hex')::uuid"""
