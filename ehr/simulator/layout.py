"""MIMIC-IV 2.2's tables: their columns in order, and gzip files written in parts whose bytes repeat."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import polars as pl

COLUMNS: dict[str, tuple[str, ...]] = {
    "hosp/patients": ("subject_id", "gender", "anchor_age", "anchor_year", "anchor_year_group", "dod"),
    "hosp/admissions": (
        "subject_id", "hadm_id", "admittime", "dischtime", "deathtime", "admission_type", "admit_provider_id",
        "admission_location", "discharge_location", "insurance", "language", "marital_status", "race", "edregtime",
        "edouttime", "hospital_expire_flag",
    ),
    "hosp/diagnoses_icd": ("subject_id", "hadm_id", "seq_num", "icd_code", "icd_version"),
    "hosp/d_icd_diagnoses": ("icd_code", "icd_version", "long_title"),
    "hosp/labevents": (
        "labevent_id", "subject_id", "hadm_id", "specimen_id", "itemid", "order_provider_id", "charttime", "storetime",
        "value", "valuenum", "valueuom", "ref_range_lower", "ref_range_upper", "flag", "priority", "comments",
    ),
    "hosp/d_labitems": ("itemid", "label", "fluid", "category"),
    "hosp/prescriptions": (
        "subject_id", "hadm_id", "pharmacy_id", "poe_id", "poe_seq", "order_provider_id", "starttime", "stoptime",
        "drug_type", "drug", "formulary_drug_cd", "gsn", "ndc", "prod_strength", "form_rx", "dose_val_rx",
        "dose_unit_rx", "form_val_disp", "form_unit_disp", "doses_per_24_hrs", "route",
    ),
    "hosp/services": ("subject_id", "hadm_id", "transfertime", "prev_service", "curr_service"),
    "hosp/transfers": ("subject_id", "hadm_id", "transfer_id", "eventtype", "careunit", "intime", "outtime"),
    "hosp/microbiologyevents": (
        "microevent_id", "subject_id", "hadm_id", "micro_specimen_id", "order_provider_id", "chartdate", "charttime",
        "spec_itemid", "spec_type_desc", "test_seq", "storedate", "storetime", "test_itemid", "test_name", "org_itemid",
        "org_name", "isolate_num", "quantity", "ab_itemid", "ab_name", "dilution_text", "dilution_comparison",
        "dilution_value", "interpretation", "comments",
    ),
    "icu/icustays": ("subject_id", "hadm_id", "stay_id", "first_careunit", "last_careunit", "intime", "outtime", "los"),
    "icu/chartevents": (
        "subject_id", "hadm_id", "stay_id", "caregiver_id", "charttime", "storetime", "itemid", "value", "valuenum",
        "valueuom", "warning",
    ),
    "icu/d_items": (
        "itemid", "label", "abbreviation", "linksto", "category", "unitname", "param_type", "lownormalvalue",
        "highnormalvalue",
    ),
    "icu/procedureevents": (
        "subject_id", "hadm_id", "stay_id", "caregiver_id", "starttime", "endtime", "storetime", "itemid", "value",
        "valueuom", "location", "locationcategory", "orderid", "linkorderid", "ordercategoryname",
        "ordercategorydescription", "patientweight", "isopenbag", "continueinnextdept", "statusdescription",
        "ORIGINALAMOUNT", "ORIGINALRATE",
    ),
    "note/discharge": (
        "note_id", "subject_id", "hadm_id", "note_type", "note_seq", "charttime", "storetime", "text",
    ),
}  # fmt: skip
"""Columns of each table, in order, as PhysioNet's files of MIMIC-IV 2.2 have them."""

_LEVEL = 4


class Layout:
    """The open files of one simulation; a context manager."""

    def __init__(self, directory: Path) -> None:
        """Create every table below ``directory`` with its header."""
        self._stack = ExitStack()
        self._files: dict[str, gzip.GzipFile] = {}
        self.rows = dict.fromkeys(COLUMNS, 0)
        for table, columns in COLUMNS.items():
            path = directory / f"{table}.csv.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = self._stack.enter_context(path.open("wb"))
            # No name and no time in the header: equal content, equal bytes.
            packed = gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0)
            self._files[table] = self._stack.enter_context(packed)
            packed.write((",".join(columns) + "\n").encode())

    def __enter__(self) -> Layout:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every file."""
        self._stack.__exit__(kind, error, trace)

    def write(self, table: str, frame: pl.DataFrame) -> None:
        """Append rows; columns that the frame lacks stay empty.

        Raises:
            ValueError: the frame has a column that the table has not.
        """
        unknown = set(frame.columns) - set(COLUMNS[table])
        if unknown:
            raise ValueError(f"{table} has no column {sorted(unknown)[0]}")
        if not frame.height:
            return
        missing = [pl.lit(None, dtype=pl.String).alias(name) for name in COLUMNS[table] if name not in frame.columns]
        whole = frame.with_columns(missing).select(COLUMNS[table])
        # Escapes quotes by doubling, as MIMIC does; texts keep their line breaks inside quotes.
        text = whole.write_csv(include_header=False, datetime_format="%Y-%m-%d %H:%M:%S", quote_style="necessary")
        self._files[table].write(text.encode())
        self.rows[table] += frame.height

    def write_rows(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        """Append rows given as dictionaries."""
        if rows:
            self.write(table, pl.DataFrame(rows, infer_schema_length=None))
