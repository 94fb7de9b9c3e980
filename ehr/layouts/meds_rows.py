"""Rows of a MEDS data set with what their codes mean, and from them the admissions and diagnoses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import polars as pl

from ehr.errors import InputError
from ehr.files import JsonValue
from ehr.layouts.meds_codes import Meaning, read_code, read_codes
from ehr.layouts.meds_files import MedsFiles
from ehr.tables import Workspace
from ehr.workspace import quote

_VISIT_COLUMNS = ("hadm_id", "visit_occurrence_id", "visit_id", "encounter_id", "admission_id")
_OPTIONAL = {
    "numeric_value": "FLOAT",
    "text_value": "VARCHAR",
    "unit": "VARCHAR",
    "reference_low": "VARCHAR",
    "reference_high": "VARCHAR",
    "end": "TIMESTAMP",
    "patient_id": "VARCHAR",
    "sequence": "INTEGER",
}
_MEANING = tuple(field.name for field in fields(Meaning))
_OLDEST = 120
_SHIFTED = 91
"""Age of those whom the source made 300 years old, so that nobody is known by it (MIMIC-IV writes 91)."""

_MARKS = ("admission", "discharge", "stay", "arrival", "birth", "age", "year_group", "sex")

_STAYS = f"""
    INSERT INTO stay
    WITH opened AS (
        SELECT *, lead(time) OVER (PARTITION BY subject_id, visit ORDER BY time, code) AS following
        FROM (SELECT DISTINCT subject_id, visit, time, code, kind, value, detail, "end" FROM mark
              WHERE kind IN ('admission', 'stay') AND time IS NOT NULL)
        QUALIFY visit IS NULL OR row_number() OVER (PARTITION BY visit ORDER BY time, subject_id, code) = 1
    ),
    closed AS (
        SELECT o.*, CASE WHEN o.kind = 'stay' THEN o."end" WHEN o.visit IS NOT NULL THEN l.last ELSE u.first END
               AS finish
        FROM opened o
        LEFT JOIN (SELECT subject_id, visit, max(time) AS last FROM mark WHERE kind = 'discharge' GROUP BY ALL) l
             ON l.subject_id = o.subject_id AND l.visit = o.visit
        ASOF LEFT JOIN (SELECT subject_id, time AS first FROM mark WHERE kind = 'discharge' AND visit IS NULL) u
             ON u.subject_id = o.subject_id AND u.first >= o.time
    ),
    person AS (
        SELECT subject_id, min(value) FILTER (kind = 'sex') AS sex, min(time) FILTER (kind = 'birth') AS birth,
               min(patient_id) AS patient_id
        FROM mark GROUP BY subject_id
    ),
    named AS (
        SELECT c.* EXCLUDE (finish),
               CASE WHEN c.visit IS NOT NULL OR c.following IS NULL OR finish <= c.following THEN finish END AS finish,
               lag(c.time) OVER (PARTITION BY c.subject_id ORDER BY c.time, c.visit, c.code) AS previous,
               coalesce(c.visit, c.subject_id || '-' || row_number() OVER (
                   PARTITION BY c.subject_id ORDER BY c.time, c.visit, c.code)) AS admission_id
        FROM closed c
    ),
    told AS (
        SELECT n.admission_id,
               max(m.numeric_value) FILTER (m.kind = 'age') AS age,
               min(m.value) FILTER (m.kind = 'year_group') AS year_group,
               max(m.time) FILTER (m.kind = 'arrival') AS arrival
        FROM named n JOIN mark m ON m.subject_id = n.subject_id
             AND m.time BETWEEN n.time - INTERVAL 2 DAY AND n.time
             AND (m.kind = 'arrival' AND (n.previous IS NULL OR m.time > n.previous)
                  OR m.kind IN ('age', 'year_group') AND m.time = n.time AND m.visit IS NOT DISTINCT FROM n.visit)
        GROUP BY n.admission_id
    ),
    aged AS (
        SELECT n.*, p.sex, coalesce(p.patient_id, n.subject_id::VARCHAR) AS patient, told.arrival, told.year_group,
               coalesce(told.age::DOUBLE, date_sub('year', p.birth, n.time)::DOUBLE) AS years
        FROM named n LEFT JOIN person p USING (subject_id) LEFT JOIN told USING (admission_id)
    )
    SELECT row_number() OVER (ORDER BY admission_id) - 1, admission_id, patient,
           CASE WHEN years > {_OLDEST} THEN {_SHIFTED} WHEN years >= 0 THEN years END, sex, value, detail,
           CASE WHEN finish >= time THEN date_diff('second', time, finish) / 3600.0 END,
           year_group, time, finish, arrival
    FROM aged
"""  # noqa: S608 - numbers of this module

_DIAGNOSES = """
    INSERT INTO diagnosis
    SELECT DISTINCT ON (d.row) coalesce(s.idx, t.idx), d.value, d.version, d.sequence
    FROM (SELECT *, row_number() OVER () AS row FROM diagnosed) d
    LEFT JOIN stay s ON s.admission_id = d.visit
    LEFT JOIN stay t ON d.visit IS NULL AND t.patient_id = d.patient AND d.time BETWEEN t.start AND t.finish
    WHERE coalesce(s.idx, t.idx) IS NOT NULL
    ORDER BY d.row, t.start DESC
"""


@dataclass
class MedsRows:
    """Reads a data set's rows by what their codes mean."""

    files: MedsFiles

    @property
    def visit_column(self) -> str | None:
        """Column that names the admission, where there is one."""
        return next((name for name in _VISIT_COLUMNS if name in self.files.data.columns), None)

    def reader(self) -> str:
        """Give the table function over all shards; their further columns need not be the same."""
        shards = ", ".join(quote(str(path)) for path in self.files.data.paths)
        return f"read_parquet([{shards}], union_by_name = true)"

    def sql(self, *kinds: str) -> str:
        """Give a sub-query of the rows whose codes are of these kinds, with the columns of ``meds_code``."""
        have, visit = self.files.data.columns, self.visit_column
        chosen = ["d.subject_id::BIGINT AS subject_id", "d.time::TIMESTAMP AS time"]
        chosen.append(f"nullif(trim(d.\"{visit}\"::VARCHAR), '') AS visit" if visit else "NULL::VARCHAR AS visit")
        for name, kind in _OPTIONAL.items():
            value = f'try_cast(d."{name}" AS {kind})' if name in have else f"NULL::{kind}"
            chosen.append(f'{value} AS "{name}"')
        listed = ", ".join(quote(kind) for kind in kinds)
        return (
            f"(SELECT {', '.join(chosen)}, m.code, m.kind, m.value, m.version, m.detail, m.unit AS stated_unit, "  # noqa: S608
            "coalesce(patient_id, d.subject_id::VARCHAR) AS patient "
            f"FROM {self.reader()} d JOIN meds_code m ON m.code = d.code::VARCHAR "
            f"WHERE m.kind IN ({listed}) AND d.subject_id IS NOT NULL)"
        )

    def read_codes(self, workspace: Workspace) -> None:
        """Fill ``meds_code`` with what the codes of the data mean, and ``code_map`` with SNOMED codes' ICD codes."""
        found = workspace.frame(
            f"SELECT DISTINCT code::VARCHAR AS code FROM {self.reader()} WHERE code IS NOT NULL ORDER BY code",  # noqa: S608
            tables=(self.files.data,),
        )
        parents, descriptions = self._metadata()
        mimic = not self.files.name or "mimic" in self.files.name.lower()
        workspace.run(f"CREATE OR REPLACE TABLE meds_code ({', '.join(f'{name} VARCHAR' for name in _MEANING)})")
        rows = [astuple(meaning) for meaning in read_codes(found["code"], parents, descriptions, mimic_items=mimic)]
        workspace.insert("meds_code", pl.DataFrame(rows, dict.fromkeys(_MEANING, pl.String), orient="row"))
        pairs = sorted(_snomed_pairs(parents))
        columns = dict.fromkeys(("code", "version", "icd_code", "icd_version"), pl.String)
        mapped = [(snomed, "SNOMEDCT", icd, version) for snomed, icd, version in pairs]
        workspace.insert("code_map", pl.DataFrame(mapped, columns, orient="row"))

    def meanings(self, workspace: Workspace) -> list[Meaning]:
        """Give what `read_codes` found."""
        rows = workspace.frame(f"SELECT {', '.join(_MEANING)} FROM meds_code ORDER BY ALL")  # noqa: S608
        return [Meaning(*row) for row in rows.iter_rows()]

    def _metadata(self) -> tuple[dict[str, list[str]], dict[str, str]]:
        parents: dict[str, list[str]] = {}
        descriptions: dict[str, str] = {}
        if self.files.codes is not None:
            for row in pl.read_parquet(self.files.codes.paths[0]).iter_rows(named=True):
                parents[row["code"]] = [parent for parent in row.get("parent_codes") or () if parent]
                if row.get("description"):
                    descriptions[row["code"]] = row["description"]
        return parents, descriptions

    def load_stays(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``stay`` and ``diagnosis``.

        Raises:
            InputError: where no code states an admission; says which kinds of codes there are.
        """
        data = (self.files.data,)
        workspace.run(f"CREATE OR REPLACE TABLE mark AS SELECT * FROM {self.sql(*_MARKS)}", tables=data)  # noqa: S608
        opened = workspace.frame("SELECT count(*) FROM mark WHERE kind IN ('admission', 'stay')").item()
        if not opened:
            raise InputError(self._no_admissions(workspace), where=self.files.data.paths[0].parent)
        workspace.run(_STAYS)
        stays = workspace.frame("SELECT count(*) FROM stay").item()
        counts["admission_rows_dropped"] = opened - stays
        workspace.run(
            "CREATE OR REPLACE TABLE diagnosed AS SELECT d.*, d.kind = 'snomed' AND d.value NOT IN "  # noqa: S608
            f"(SELECT code FROM code_map) AS unmapped FROM {self.sql('diagnosis', 'snomed')} d",
            tables=data,
        )
        counts["snomed_rows_without_icd"] = workspace.frame("SELECT count(*) FROM diagnosed WHERE unmapped").item()
        workspace.run("DELETE FROM diagnosed WHERE unmapped")
        workspace.run("UPDATE diagnosed SET version = 'SNOMEDCT' WHERE kind = 'snomed'")
        workspace.run(_DIAGNOSES)
        given, kept = (workspace.frame(f"SELECT count(*) FROM {t}").item() for t in ("diagnosed", "diagnosis"))  # noqa: S608
        counts["diagnosis_rows_outside_admissions"] = given - kept
        workspace.run("DROP TABLE diagnosed")
        workspace.run("DROP TABLE mark")

    def _no_admissions(self, workspace: Workspace) -> str:
        rows = workspace.frame(
            f"SELECT code::VARCHAR AS code, count(*) AS n FROM {self.reader()} GROUP BY code",  # noqa: S608
            tables=(self.files.data,),
        )
        seen: Counter[str] = Counter()
        for code, count in rows.drop_nulls().iter_rows():
            seen[code.split("/", 1)[0][:40]] += count
        most = ", ".join(name for name, _ in seen.most_common(8)) or "none at all"
        return (
            "no admissions: expected codes HOSPITAL_ADMISSION and HOSPITAL_DISCHARGE, or Visit/IP with a column end; "
            f"its codes begin with {most}"
        )


def _snomed_pairs(parents: Mapping[str, Sequence[str]]) -> set[tuple[str, str, str]]:
    """Give (SNOMED code, ICD code, ICD version) of every code and parent of which one is each."""
    found: set[tuple[str, str, str]] = set()
    for code, above in parents.items():
        own = read_code(code)
        if own is None:
            continue
        for other in filter(None, map(read_code, above)):
            for snomed, icd in ((own, other), (other, own)):
                if snomed.kind == "snomed" and icd.kind == "diagnosis" and snomed.value and icd.value and icd.version:
                    found.add((snomed.value, icd.value, icd.version))
    return found
