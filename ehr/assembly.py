"""Admissions made of the rows that a cohort's tables have of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from ehr.types import Admission, Medication, NoteSection, TimeSeries

Groups = Mapping[str, pl.DataFrame]
"""Rows of a table by admission id."""


def assemble(rows: pl.DataFrame, notes: Groups, series: Groups, medications: Groups) -> Iterator[Admission]:
    """Give an admission for each row of the table ``admissions``, with what the other tables have of it."""
    for row in rows.iter_rows(named=True):
        key = row["admission_id"]
        yield Admission(
            patient_id=row["patient_id"],
            admission_id=key,
            age=row["age"],
            sex=row["sex"],
            admission_type=row["admission_type"],
            length_of_stay_hours=row["length_of_stay_hours"],
            notes=tuple(_notes(notes.get(key))),
            series=tuple(_series(series.get(key))),
            medications=tuple(_medications(medications.get(key))),
            labels=frozenset(row["labels"] or ()),
            split=row["split"],
        )


def _rows(frame: pl.DataFrame | None) -> Iterator[dict[str, Any]]:
    if frame is not None:
        yield from frame.iter_rows(named=True)


def _notes(frame: pl.DataFrame | None) -> Iterator[NoteSection]:
    for row in _rows(frame):
        yield NoteSection(row["section"], row["text"], row["origin"])


def _series(frame: pl.DataFrame | None) -> Iterator[TimeSeries]:
    if frame is None:
        return
    for key, part in frame.group_by(["code"], maintain_order=True):
        yield TimeSeries(
            code=str(key[0]),
            hours=part["hours"].to_numpy().astype(np.float64, copy=False),
            values=part["value"].to_numpy().astype(np.float64, copy=False),
            unit=part["unit"][0],
            source_rows=tuple(part["source_row"].to_list()),
        )


def _medications(frame: pl.DataFrame | None) -> Iterator[Medication]:
    for row in _rows(frame):
        yield Medication(row["name"], row["hours"], row["before_admission"], row["source_row"])
