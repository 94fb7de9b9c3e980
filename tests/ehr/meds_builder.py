"""Writes small MEDS data sets with the codes that MIMIC_IV_MEDS and conversions from OMOP write."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from meds.schema import CodeMetadataSchema, DataSchema, SubjectSplitSchema

T = datetime.fromisoformat
Row = dict[str, object]


def event(subject: int, time: str | None, code: str, number: float | None = None, **more: object) -> Row:
    moment = T(time) if time else None
    return {"subject_id": subject, "time": moment, "code": code, "numeric_value": number, "text_value": None, **more}


def stay(subject: int, visit: int | None, start: str, end: str, kind: str = "EW EMER.//EMERGENCY ROOM") -> list[Row]:
    return [
        event(subject, start, f"HOSPITAL_ADMISSION//{kind}", hadm_id=visit),
        event(subject, end, "HOSPITAL_DISCHARGE//HOME", hadm_id=visit),
    ]


PEOPLE = [
    event(1, None, "GENDER//F"),
    event(1, "1950-01-01", "MEDS_BIRTH"),
    event(2, None, "GENDER//M"),
    event(2, "1840-01-01", "MEDS_BIRTH"),
    event(-3, None, "GENDER//M"),
]
STAYS = [
    *stay(1, 11, "2010-03-01 10:00:00", "2010-03-05 10:00:00"),
    *stay(1, 12, "2011-03-01 10:00:00", "2011-03-02 10:00:00", "ELECTIVE//UNK"),
    *stay(2, 21, "2015-01-01 00:00:00", "2015-01-03 00:00:00"),
    *stay(-3, 31, "2016-01-01 00:00:00", "2016-01-03 00:00:00"),
    event(-3, "2016-01-03 00:00:00", "DIAGNOSIS//ICD//10//I509", hadm_id=31),
]


class MedsBuilder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def shard(self, rows: Sequence[Row], name: str = "train/0", *, visits: bool = True) -> Path:
        extra = {"hadm_id": pa.int64()} if visits else {}
        known = {"unit": pa.string(), "end": pa.timestamp("us"), "patient_id": pa.string(), "visit_id": pa.int64()}
        extra |= {key: kind for key, kind in known.items() if any(key in row for row in rows)}
        fields = [*DataSchema.schema(), *(pa.field(key, kind) for key, kind in extra.items())]
        ordered = sorted(
            rows, key=lambda row: (row["subject_id"], row["time"] is not None, row["time"] or T("1900-01-01"))
        )
        full = [{field.name: row.get(field.name) for field in fields} for row in ordered]
        path = self.root / "data" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(full, schema=pa.schema(fields)), path)
        return path

    def codes(self, rows: Sequence[tuple[str, str | None, list[str] | None]]) -> None:
        names = ("code", "description", "parent_codes")
        table = pa.Table.from_pylist([dict(zip(names, r, strict=True)) for r in rows], CodeMetadataSchema.schema())
        self._metadata()
        pq.write_table(table, self.root / "metadata" / "codes.parquet")

    def splits(self, splits: dict[int, str]) -> None:
        rows = [{"subject_id": subject, "split": split} for subject, split in splits.items()]
        self._metadata()
        table = pa.Table.from_pylist(rows, SubjectSplitSchema.schema())
        pq.write_table(table, self.root / "metadata" / "subject_splits.parquet")

    def dataset(self, **content: object) -> None:
        self._metadata()
        (self.root / "metadata" / "dataset.json").write_text(json.dumps(content))

    def _metadata(self) -> None:
        (self.root / "metadata").mkdir(parents=True, exist_ok=True)
