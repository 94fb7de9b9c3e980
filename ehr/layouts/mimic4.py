"""MIMIC-IV's layout: ``hosp/``, ``icu/`` and, where there are notes, ``note/discharge``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ehr.events import insert_events, prepare_events
from ehr.files import JsonValue
from ehr.layouts.common import (
    NO_PROCEDURE,
    Columns,
    FoundTables,
    hours_sql,
    last_notes,
    load_drug_facts,
    load_drug_names,
    load_service_names,
    load_visits,
    odd_admissions,
)
from ehr.progress import say
from ehr.series import load_items
from ehr.summary import SUMMARY_HOURS
from ehr.tables import Table, Workspace, find_table, need_table

_SPECIMEN_ITEM = "52033"
"""``d_labitems``: the specimen type of a blood gas (ART., VEN., MIX., CENTRAL VENOUS.)."""

_NO_ORGANISM = r"^(cancelled|positive|mixed bacterial flora|.*\bno growth\b.*)$"
_WANTED = "SELECT itemid FROM item WHERE source_table = '{}'"
_NOTE_MODULE = ("mimic-iv-note", "mimiciv-note", "mimic_iv_note")
_OLDEST = 120.0
_NEEDED: Columns = {
    "patients": ("subject_id", "gender", "anchor_age", "anchor_year"),
    "admissions": ("subject_id", "hadm_id", "admittime", "dischtime"),
    "diagnoses_icd": ("hadm_id", "icd_code", "icd_version"),
}
_OPTIONAL: Columns = {
    "labevents": ("labevent_id", "subject_id", "hadm_id", "itemid", "charttime", "valuenum"),
    "chartevents": ("hadm_id", "stay_id", "itemid", "charttime", "valuenum"),
    "icustays": ("hadm_id", "first_careunit", "intime"),
    "procedureevents": ("hadm_id", "starttime", "itemid"),
    "d_items": ("itemid", "label"),
    "prescriptions": ("hadm_id", "starttime", "drug"),
    "services": ("hadm_id", "transfertime", "curr_service"),
    "microbiologyevents": ("hadm_id", "spec_type_desc"),
    "discharge": ("hadm_id", "text"),
}
_FOLDERS = {
    **dict.fromkeys((*_NEEDED, *_OPTIONAL), "hosp"),
    **dict.fromkeys(("chartevents", "icustays", "procedureevents", "d_items"), "icu"),
    "discharge": "note",
}


def _beside(directory: Path) -> Iterator[Path]:
    """Give the places where MIMIC-IV-Note lies when it was downloaded beside MIMIC-IV, the latest version first.

    PhysioNet's own folders are ``mimiciv/3.1`` and ``mimic-iv-note/2.2``.
    """
    for parent in (directory.resolve().parent, directory.resolve().parent.parent):
        try:
            modules = [p for p in parent.iterdir() if p.is_dir() and p.name.lower().startswith(_NOTE_MODULE)]
            found = [place for module in modules for place in (module, *filter(Path.is_dir, module.iterdir()))]
        except OSError:
            continue  # a folder above that may not be listed
        yield from sorted(found, reverse=True)


class MimicIV(FoundTables):
    """An opened MIMIC-IV directory."""

    name = "mimic-iv"

    def __init__(self, directory: Path, notes: Path | None = None) -> None:
        """Find the tables and check their columns.

        Args:
            directory: with ``hosp/`` and ``icu/``.
            notes: directory of MIMIC-IV-Note; by default looked for there and beside it.

        Raises:
            InputError: names the missing file or column.
        """
        super().__init__(directory, "MIMIC-IV", _NEEDED, _OPTIONAL, folders=_FOLDERS, parts=("chartevents",))
        self._find_notes(directory, notes)
        self._require_columns()

    def _find_notes(self, directory: Path, notes: Path | None) -> None:
        """Take the discharge notes of the module MIMIC-IV-Note, where they are not among the tables."""
        if notes is not None:
            self._found["discharge"] = need_table(notes, "note", "discharge", "MIMIC-IV-Note")
            return
        for place in [] if "discharge" in self._found else _beside(directory):
            table = find_table(place, "note", "discharge")
            if table is not None:
                say(f"notes are taken from {place}")
                self._found["discharge"] = table
                return

    @property
    def row_keys(self) -> Mapping[str, tuple[str, ...]]:
        """Key columns of the tables that a ``source_row`` names."""
        return {
            "labevents": ("labevent_id",),
            "chartevents": ("stay_id", "itemid"),
            "prescriptions": ("pharmacy_id",),
            "discharge": ("note_id",),
        }

    def load_stays(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``stay`` (one row an admission id, the first where one stands twice) and ``diagnosis``."""
        patients, admissions = self._found["patients"], self._found["admissions"]
        rows = admissions.sql(
            ("subject_id", "hadm_id", "admittime", "dischtime"),
            ("admission_type", "admission_location", "edregtime", "deathtime"),
        )
        people = patients.sql(("subject_id", "gender", "anchor_age", "anchor_year"), ("anchor_year_group",))
        workspace.run(
            f"""
            INSERT INTO stay
            WITH once AS (
                SELECT *, try_cast(admittime AS TIMESTAMP) AS start, try_cast(dischtime AS TIMESTAMP) AS finish,
                       try_cast(edregtime AS TIMESTAMP) AS arrival
                FROM {rows} WHERE hadm_id IS NOT NULL AND subject_id IS NOT NULL
                QUALIFY row_number() OVER (PARTITION BY hadm_id ORDER BY admittime, dischtime, subject_id) = 1
            ),
            person AS (
                SELECT *, try_cast(anchor_age AS DOUBLE) AS years FROM {people}
                QUALIFY row_number() OVER (PARTITION BY subject_id ORDER BY anchor_year, anchor_age, gender) = 1
            )
            SELECT row_number() OVER (ORDER BY once.hadm_id) - 1, once.hadm_id, once.subject_id,
                   CASE WHEN years > {_OLDEST} THEN NULL WHEN years > 89 THEN years
                        WHEN years + year(start) - try_cast(anchor_year AS INTEGER) BETWEEN 0 AND {_OLDEST}
                        THEN years + year(start) - try_cast(anchor_year AS INTEGER) END,
                   upper(gender), admission_type, admission_location,
                   CASE WHEN finish >= start THEN date_diff('second', start, finish) / 3600.0 END,
                   anchor_year_group, start, finish, arrival
            FROM once LEFT JOIN person ON person.subject_id = once.subject_id
            """,  # noqa: S608
            tables=(patients, admissions),
        )
        counts |= odd_admissions(workspace, rows, people, (admissions, patients))
        codes = self._found["diagnoses_icd"]
        with workspace.joins_as_written():
            workspace.run(
                "INSERT INTO diagnosis SELECT s.idx, d.icd_code, d.icd_version, try_cast(d.seq_num AS INTEGER) "  # noqa: S608
                f"FROM {codes.sql(('hadm_id', 'icd_code', 'icd_version'), ('seq_num',))} d "
                "JOIN stay s ON s.admission_id = d.hadm_id",
                tables=(codes,),
            )

    def load_events(self, workspace: Workspace) -> None:
        """Fill ``event`` from ``labevents`` and ``chartevents``."""
        prepare_events(workspace, load_items("mimic_iv"), {"labevents": _SPECIMEN_ITEM})
        load_visits(workspace)
        labs = self._found.get("labevents")
        if labs is not None:
            self._load_labs(workspace, labs)
        chart = self._found.get("chartevents")
        if chart is not None:
            select = chart.sql(
                ("hadm_id", "stay_id", "itemid", "charttime", "valuenum"),
                ("value", "valueuom"),
                among=("itemid", _WANTED.format("chartevents")),
            )
            insert_events(
                workspace,
                f"""
                SELECT i.item, s.idx, {hours_sql("e.charttime")} AS hours, e.valuenum AS number, e.value AS text,
                       NULL::VARCHAR AS remark, e.valueuom AS unit, NULL::VARCHAR AS low, NULL::VARCHAR AS high,
                       e.stay_id AS source, NULL::VARCHAR AS specimen
                FROM {select} e
                JOIN item i ON i.source_table = 'chartevents' AND i.itemid = e.itemid
                LEFT JOIN stay s ON s.admission_id = e.hadm_id
                """,  # noqa: S608
                (chart,),
            )

    def _load_labs(self, workspace: Workspace, labs: Table) -> None:
        select = labs.sql(
            ("labevent_id", "subject_id", "hadm_id", "itemid", "charttime", "valuenum"),
            ("specimen_id", "value", "valueuom", "ref_range_lower", "ref_range_upper", "comments"),
            among=("itemid", _WANTED.format("labevents")),
        )
        insert_events(
            workspace,
            f"""
            SELECT i.item, s.idx, {hours_sql("e.charttime")} AS hours, e.valuenum AS number, e.value AS text,
                   e.comments AS remark, e.valueuom AS unit, e.ref_range_lower AS low, e.ref_range_upper AS high,
                   e.labevent_id AS source, e.specimen_id AS specimen
            FROM {select} e
            JOIN item i ON i.source_table = 'labevents' AND i.itemid = e.itemid
            LEFT JOIN visit v ON e.hadm_id IS NULL AND v.patient_id = e.subject_id
                 AND try_cast(e.charttime AS TIMESTAMP) >= v.opens AND try_cast(e.charttime AS TIMESTAMP) < v.closes
            LEFT JOIN stay s ON s.admission_id = coalesce(e.hadm_id, v.admission_id)
            """,  # noqa: S608
            (labs,),
        )

    def load_medications(self, workspace: Workspace) -> None:
        """Fill ``medication`` from the prescriptions; diluents (drug type BASE) are no drugs."""
        table = self._found.get("prescriptions")
        if table is None:
            return
        select = table.sql(("hadm_id", "starttime", "drug"), ("pharmacy_id", "drug_type"))
        load_drug_names(workspace, select, (table,))
        with workspace.joins_as_written():
            workspace.run(
                f"""
                INSERT INTO medication
                SELECT s.idx, n.name, {hours_sql("p.starttime")} AS hours, false,
                       'prescriptions:' || coalesce(min(p.pharmacy_id), '')
                FROM {select} p JOIN stay s ON s.admission_id = p.hadm_id JOIN drug_name n USING (drug)
                WHERE coalesce(upper(p.drug_type), 'MAIN') <> 'BASE' AND n.name <> ''
                GROUP BY ALL
                """,  # noqa: S608
                tables=(table,),
            )

    def load_facts(self, workspace: Workspace) -> None:
        """Fill ``fact`` from services, ICU stays, early drugs, charted procedures and cultures."""
        load_service_names(workspace)
        load_drug_facts(workspace)
        self._fact(
            workspace,
            ("services",),
            "service",
            "transfertime",
            "SELECT e.*, coalesce(n.name, lower(e.curr_service)) AS text FROM {services} e "
            "LEFT JOIN service_name n ON n.code = upper(e.curr_service)",
        )
        self._fact(workspace, ("icustays",), "unit", "intime", "SELECT e.*, e.first_careunit AS text FROM {icustays} e")
        self._fact(
            workspace,
            ("procedureevents", "d_items"),
            "procedure",
            "starttime",
            "SELECT e.*, d.label AS text FROM {procedureevents} e JOIN {d_items} d USING (itemid) "  # noqa: S608
            f"WHERE coalesce(lower(e.ordercategoryname), '') NOT IN {NO_PROCEDURE}",
        )
        cultures = (
            "SELECT e.*, coalesce(e.charttime, e.chartdate) AS taken, {text} AS text FROM {{microbiologyevents}} e"
        )
        self._fact(workspace, ("microbiologyevents",), "specimen", "taken", cultures.format(text="e.spec_type_desc"))
        self._fact(
            workspace,
            ("microbiologyevents",),
            "organism",
            "taken",
            cultures.format(text="e.org_name") + f" WHERE NOT regexp_matches(lower(org_name), '{_NO_ORGANISM}') ",
            # An organism that was named only after discharge was not known.
            _NAMED_IN_TIME,
        )

    def _fact(
        self, workspace: Workspace, names: Sequence[str], kind: str, time: str, select: str, extra: str = ""
    ) -> None:
        tables = [self._found[name] for name in names if name in self._found]
        if len(tables) < len(names):
            return
        queries = {name: self._found[name].sql(*_FACT_COLUMNS[name]) for name in names}
        with workspace.joins_as_written():
            workspace.run(
                f"""
                INSERT INTO fact
                SELECT s.idx, '{kind}', min({hours_sql("e." + time)}) AS hours, e.text
                FROM ({select.format(**queries)}) e JOIN stay s ON s.admission_id = e.hadm_id
                WHERE e.text IS NOT NULL AND {hours_sql("e." + time)} <= {SUMMARY_HOURS} {extra}
                GROUP BY s.idx, e.text
                """,  # noqa: S608
                tables=tables,
            )

    def notes(self, workspace: Workspace) -> Iterator[tuple[int, str, str]]:
        """Give the last discharge summary of each admission, sorted by admission; addenda are passed over."""
        table = self._found.get("discharge")
        if table is None:
            return
        select = table.sql(("hadm_id", "text"), ("note_id", "note_type", "note_seq"))
        query = f"""
            SELECT s.idx, 'discharge:' || coalesce(n.note_id, '') AS source_row, n.text
            FROM {select} n JOIN stay s ON s.admission_id = n.hadm_id
            WHERE coalesce(upper(n.note_type), 'DS') = 'DS' AND n.text IS NOT NULL
            ORDER BY s.idx, try_cast(n.note_seq AS INTEGER), n.note_id, n.text
        """  # noqa: S608
        yield from last_notes(workspace, query, (table,))


_FACT_COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "services": (("hadm_id", "transfertime", "curr_service"), ()),
    "icustays": (("hadm_id", "first_careunit", "intime"), ()),
    "procedureevents": (("hadm_id", "starttime", "itemid"), ("ordercategoryname",)),
    "d_items": (("itemid", "label"), ()),
    "microbiologyevents": (
        ("hadm_id", "spec_type_desc"),
        ("charttime", "chartdate", "storetime", "storedate", "org_name"),
    ),
}


_NAMED_IN_TIME = (
    "AND try_cast(coalesce(e.storetime, e.storedate) AS TIMESTAMP) <= s.finish AND "  # noqa: S608
    + hours_sql("coalesce(e.storetime, e.storedate)")
    + " <= (SELECT coalesce(h.hours, 'inf'::DOUBLE) FROM horizon h WHERE h.idx = s.idx)"
)


def is_mimic4(directory: Path) -> bool:
    """Say whether ``patients`` has MIMIC-IV's anchor columns."""
    table = find_table(directory, "hosp", "patients")
    return table is not None and "anchor_age" in table.columns
