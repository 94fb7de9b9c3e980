"""What a hospital's layout (MIMIC-IV, MIMIC-III, eICU …) must give; ingestion does the rest, the same for all.

A layout reads its own files into the workspace's tables, all keyed by ``idx``, the position of the admission among the
sorted admission ids:

- ``stay``: `STAY_COLUMNS`
- ``diagnosis``: ``idx``, ``code``, ``version`` (ICD-CM, 9 or 10), ``sequence`` (null where there is none)
- ``event``: through `ehr.events.insert_events`, with the hospital's own table first in every join
- ``medication``: ``idx``, ``name``, ``hours``, ``before_admission``, ``source_row``
- ``horizon`` is there to read from `load_events` on: ``idx``, ``hours``: nothing that was known only later is kept
- ``fact``: ``idx``, ``kind`` (`ehr.summary.KINDS`), ``hours``, ``text``; never anything that was coded at discharge
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ehr.files import JsonValue
from ehr.tables import Table, Workspace

STAY_COLUMNS = (
    "idx INTEGER, admission_id VARCHAR, patient_id VARCHAR, age DOUBLE, sex VARCHAR, admission_type VARCHAR, "
    "admission_location VARCHAR, length_of_stay_hours DOUBLE, year_group VARCHAR, start TIMESTAMP, finish TIMESTAMP, "
    "arrival TIMESTAMP"
)

WORK_TABLES = (
    f"stay ({STAY_COLUMNS})",
    "diagnosis (idx INTEGER, code VARCHAR, version VARCHAR, sequence INTEGER)",
    "code_map (code VARCHAR, version VARCHAR, icd_code VARCHAR, icd_version VARCHAR)",
    "medication (idx INTEGER, name VARCHAR, hours DOUBLE, before_admission BOOLEAN, source_row VARCHAR)",
    "fact (idx INTEGER, kind VARCHAR, hours DOUBLE, text VARCHAR)",
    "section (idx INTEGER, position INTEGER, section VARCHAR, text VARCHAR, origin VARCHAR)",
)
"""Columns of the workspace's tables; ``event`` comes from `ehr.events.prepare_events`.

``diagnosis.version`` is ``9`` or ``10`` for ICD-CM or the name of another code system (``SNOMEDCT``); for such a system
``code_map`` has the ICD-CM codes that the hospital's own vocabulary maps to each of its codes.
"""


class Hospital(Protocol):
    """One hospital's directory, opened: its tables were found and their columns checked."""

    name: str
    """Layout, such as ``mimic-iv``."""

    @property
    def tables(self) -> Sequence[Table]:
        """Every table that is read; they make the cohort's fingerprint."""
        ...

    @property
    def row_keys(self) -> Mapping[str, tuple[str, ...]]:
        """By table name as in ``source_row`` (``labevents``): the columns whose values, divided by ``:``, follow it.

        At most two for tables of events: the one that ``source`` of `ehr.events.insert_events` holds (an integer), and
        the one with the item's id.

        ``file_row_number`` where the table has no key of its own: the row's place in the file, from 0.
        """
        ...

    @property
    def absent(self) -> Sequence[str]:
        """Tables that would have been used but are not there."""
        ...

    def load_stays(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``stay`` and ``diagnosis``."""
        ...

    def load_events(self, workspace: Workspace) -> None:
        """Prepare and fill ``event``."""
        ...

    def load_medications(self, workspace: Workspace) -> None:
        """Fill ``medication`` with what was ordered in hospital."""
        ...

    def load_facts(self, workspace: Workspace) -> None:
        """Fill ``fact`` with what an admission summary may say."""
        ...

    def notes(self, workspace: Workspace) -> Iterator[tuple[int, str, str]]:
        """Give ``idx``, the note's source row and its text, one note an admission, sorted."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of directory: how it is recognised and opened.

    Attributes:
        name: as in ``--layout``.
        matches: says whether a directory looks like it.
        open: opens one; `InputError` where a needed table or column is missing.
        open_with_notes: opens one whose notes lie in a directory of their own (MIMIC-IV-Note), the second; `InputError`
            where there are none. None for a layout that has its notes among its tables.
    """

    name: str
    matches: Callable[[Path], bool]
    open: Callable[[Path], Hospital]
    open_with_notes: Callable[[Path, Path], Hospital] | None = None
