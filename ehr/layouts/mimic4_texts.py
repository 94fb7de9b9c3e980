"""What MIMIC-IV tells the admission summary, and its discharge summaries, which are a module of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ehr.layouts.common import hours_sql, last_notes, load_drug_facts
from ehr.layouts.mimic import NO_PROCEDURE, load_service_names
from ehr.progress import say
from ehr.summary import SUMMARY_HOURS
from ehr.tables import Table, Workspace, find_table, need_table

_NO_ORGANISM = r"^(cancelled|positive|mixed bacterial flora|.*\bno growth\b.*)$"
_NOTE_MODULE = ("mimic-iv-note", "mimiciv-note", "mimic_iv_note")

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


def notes_elsewhere(directory: Path, notes: Path | None) -> dict[str, Table]:
    """Find the discharge notes of the module MIMIC-IV-Note: where the user says, else beside the directory.

    Raises:
        InputError: where the user names a place that has none.
    """
    if notes is not None:
        return {"discharge": need_table(notes, "note", "discharge", "MIMIC-IV-Note")}
    for place in _beside(directory):
        table = find_table(place, "note", "discharge")
        if table is not None:
            say(f"notes are taken from {place}")
            return {"discharge": table}
    return {}


def load_mimic4_facts(workspace: Workspace, found: Mapping[str, Table]) -> None:
    """Fill ``fact`` from services, ICU stays, early drugs, charted procedures and cultures."""
    load_service_names(workspace)
    load_drug_facts(workspace)
    _fact(
        workspace,
        found,
        ("services",),
        "service",
        "transfertime",
        "SELECT e.*, coalesce(n.name, lower(e.curr_service)) AS text FROM {services} e "
        "LEFT JOIN service_name n ON n.code = upper(e.curr_service)",
    )
    _fact(workspace, found, ("icustays",), "unit", "intime", "SELECT e.*, e.first_careunit AS text FROM {icustays} e")
    _fact(
        workspace,
        found,
        ("procedureevents", "d_items"),
        "procedure",
        "starttime",
        "SELECT e.*, d.label AS text FROM {procedureevents} e JOIN {d_items} d USING (itemid) "  # noqa: S608
        f"WHERE coalesce(lower(e.ordercategoryname), '') NOT IN {NO_PROCEDURE}",
    )
    cultures = "SELECT e.*, coalesce(e.charttime, e.chartdate) AS taken, {text} AS text FROM {{microbiologyevents}} e"
    _fact(workspace, found, ("microbiologyevents",), "specimen", "taken", cultures.format(text="e.spec_type_desc"))
    _fact(
        workspace,
        found,
        ("microbiologyevents",),
        "organism",
        "taken",
        cultures.format(text="e.org_name") + f" WHERE NOT regexp_matches(lower(org_name), '{_NO_ORGANISM}') ",
        # An organism that was named only after discharge was not known.
        _NAMED_IN_TIME,
    )


def _fact(
    workspace: Workspace,
    found: Mapping[str, Table],
    names: Sequence[str],
    kind: str,
    time: str,
    select: str,
    extra: str = "",
) -> None:
    tables = [found[name] for name in names if name in found]
    if len(tables) < len(names):
        return
    queries = {name: found[name].sql(*_FACT_COLUMNS[name]) for name in names}
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


def mimic4_notes(workspace: Workspace, found: Mapping[str, Table]) -> Iterator[tuple[int, str, str]]:
    """Give the last discharge summary of each admission, sorted by admission; addenda are passed over."""
    table = found.get("discharge")
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
