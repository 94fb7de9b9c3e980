"""Tells a file of another format from one with bad rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ehr.errors import InputError
from kg.readers.lines import Entry
from kg.readers.records import Header, Record, Records, Reject

PATIENCE = 200
"""Rows that may be rejected one after the other at the beginning of a file before it counts as something else."""


def usable(records: Iterator[Record], source: Path | Entry, what: str) -> Records:
    """Pass records on.

    Args:
        records: what a reader yields.
        source: the file, for the error.
        what: what the file should be.

    Raises:
        InputError: where nothing but rejects comes, at the end or after `PATIENCE` of them.
    """
    rejected, first, useful = 0, "", False
    for record in records:
        if isinstance(record, Reject):
            rejected += 1
            first = first or f"{record.record}: {record.reason}"
            if not useful and rejected >= PATIENCE:
                break
        elif not isinstance(record, Header):
            useful = True
        yield record
    if not useful:
        found = f"none of {rejected} rows could be read, {first}" if rejected else "no row in it"
        raise InputError(found, where=str(source), remedy=f"is this {what}?")
