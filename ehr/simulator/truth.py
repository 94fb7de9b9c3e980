"""What was generated for each admission: for tests and documentation, never read as hospital data."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ehr.simulator.cases import Case, Patient
from ehr.simulator.holdout import DIRECTIONS, HoldOut, concept_of, generating_pairs
from ehr.simulator.rows import Stay
from ehr.simulator.tables import DRUG, FINDING, SERIES, Tables, Unit

_ROW_GROUP = 2000

_SHOWN = pa.struct(
    [
        ("kind", pa.string()),
        ("concept", pa.string()),
        ("name", pa.string()),
        ("direction", pa.string()),
        ("cause", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("subject_id", pa.int64()),
        ("hadm_id", pa.int64()),
        ("split", pa.string()),
        ("phenotypes", pa.list_(pa.string())),
        ("severity", pa.list_(pa.float64())),
        ("shown", pa.list_(_SHOWN)),
        ("intensive_care", pa.bool_()),
        ("length_of_stay_hours", pa.float64()),
    ]
)


class TruthWriter:
    """Writes ``admissions.parquet`` in row groups of fixed size, so its bytes do not depend on batches."""

    def __init__(self, directory: Path, tables: Tables) -> None:
        """Create the directory and the file."""
        directory.mkdir(parents=True, exist_ok=True)
        self._tables = tables
        self._file = pq.ParquetWriter(directory / "admissions.parquet", SCHEMA, compression="zstd")
        self._rows: list[dict[str, object]] = []

    def __enter__(self) -> TruthWriter:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left and close."""
        if kind is None:
            self._flush()
        self._file.close()

    def add(self, patient: Patient, case: Case, stay: Stay) -> None:
        """Remember one admission."""
        tables = self._tables
        units: list[tuple[Unit, int]] = [((FINDING, place, 0), cause) for place, cause in case.findings.items()]
        units += [((SERIES, effect.series, effect.sign), effect.cause) for effect in case.effects]
        units += [((DRUG, place, 0), cause) for place, cause in case.home_drugs.items()]
        shown = []
        for unit, cause in units:
            concept, name = concept_of(tables, unit)
            shown.append(
                {
                    "kind": unit[0],
                    "concept": concept,
                    "name": name,
                    "direction": DIRECTIONS[unit[2]],
                    "cause": tables.diseases[cause].id if cause >= 0 else "",
                }
            )
        self._rows.append(
            {
                "subject_id": stay.subject_id,
                "hadm_id": stay.hadm_id,
                "split": patient.split,
                "phenotypes": [tables.diseases[place].id for place in case.diseases],
                "severity": [round(float(value), 4) for value in case.severity],
                "shown": sorted(shown, key=lambda row: (row["kind"], row["concept"], row["direction"], row["cause"])),
                "intensive_care": case.icu is not None,
                "length_of_stay_hours": round(case.stay_hours, 2),
            }
        )
        if len(self._rows) == _ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
            self._rows = []


def held_out_pairs(tables: Tables, holdout: HoldOut) -> pl.DataFrame:
    """Give `generating_pairs` with ``held_out`` (shown in ``test_links``) and ``withheld`` (never shown elsewhere)."""
    held: list[tuple[str, str, str, str, str, bool, bool]] = []
    for place, disease in enumerate(tables.diseases):
        for unit in sorted(holdout.withheld[place]):
            kind = "home_drug" if unit[0] == DRUG else unit[0]
            stated = unit in holdout.stated[place]
            held.append((disease.id, kind, *concept_of(tables, unit), DIRECTIONS[unit[2]], stated, True))
    keys = ["phenotype", "kind", "concept", "name", "direction"]
    flags = pl.DataFrame(
        held,
        schema={**dict.fromkeys(keys, pl.String), "held_out": pl.Boolean, "withheld": pl.Boolean},
        orient="row",
    )
    joined = generating_pairs().join(flags, on=keys, how="left", maintain_order="left")
    return joined.with_columns(pl.col("held_out", "withheld").fill_null(False))
