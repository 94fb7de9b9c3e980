"""The admission as every other room sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "dev", "test", "test_words", "test_links")
"""Split names; only ``train``, ``dev`` and ``test`` are required of a cohort."""


@dataclass(frozen=True, slots=True)
class NoteSection:
    """One section of the text given to the model.

    ``origin`` is ``"note"`` for clinical text and ``"summary"`` for the deterministic admission summary that stands in
    where a hospital gave no note.
    """

    section: str
    text: str
    origin: str = "note"


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """One lab or vital of one admission, in time order.

    Attributes:
        code: LOINC code as a CURIE (``LOINC:8867-4``).
        hours: hours from admission, shape ``(n,)``; negative before admission.
        values: values in the unit of the series' definition, shape ``(n,)``.
        source_rows: where each value came from (``labevents:172061``), length ``n``.
    """

    code: str
    hours: NDArray[np.float64]
    values: NDArray[np.float64]
    unit: str
    source_rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Medication:
    """A drug: ``before_admission`` where the patient took it at home, else ordered at ``hours`` from admission."""

    name: str
    hours: float | None
    before_admission: bool
    source_row: str


@dataclass(frozen=True, slots=True)
class Admission:
    """One hospital admission: what is known before coding, and its labels."""

    patient_id: str
    admission_id: str
    age: float | None
    sex: str | None
    admission_type: str | None
    length_of_stay_hours: float | None
    notes: tuple[NoteSection, ...] = ()
    series: tuple[TimeSeries, ...] = ()
    medications: tuple[Medication, ...] = ()
    labels: frozenset[str] = field(default_factory=frozenset)
    split: str | None = None
