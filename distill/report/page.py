"""One self-contained HTML page about one diagnosis: no script, nothing loaded from elsewhere, nothing unescaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import polars as pl

from distill.rationale import ToldSentence
from distill.report.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw_curves
from distill.report.notes import NotePiece, note_pieces
from distill.report.picture import VERBS, evidence_picture, shown_diseases
from distill.teachers import concept_names
from distill.teachers.sentences import describe_finding
from distill.types import Diagnosis, DiseaseResult
from ehr.html import render_page
from ehr.series import load_series, series_by_code
from ehr.types import Admission
from kg.bundle import Bundle
from kg.queries import evidence_queries
from kg.types import Finding, PatientSubgraph
from kg.vocabulary import Predicate

MAX_RANKED = 10
"""Diseases shown at once; the others are folded away."""
MAX_CURVES = 12

_PLACES = {
    "PMID": "https://pubmed.ncbi.nlm.nih.gov/{}/",
    "PMC": "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC{}/",
    "DOI": "https://doi.org/{}",
    "OMIM": "https://omim.org/entry/{}",
    "ORPHA": "https://www.orpha.net/en/disease/detail/{}",
}
_LOCAL = re.compile(r"[A-Za-z0-9./()_;:-]+")

EvidenceRows = Mapping[str, Sequence[Mapping[str, object]]]
"""By evidence query, the rows that it gave."""

CHECKED = {True: "source opened", False: "named from memory", None: "released source"}


@dataclass(frozen=True, slots=True)
class Citation:
    """A publication as its source wrote it, with an address where it is one or has one."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """Who says so: one source of one statement."""

    source: str
    version: str
    citations: tuple[Citation, ...]
    checked: bool | None
    weight: float | None
    note: str

    @property
    def state(self) -> str:
        """Say whether the citation was opened."""
        return CHECKED[self.checked]


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One statement of the evidence table; ``number`` is the n of its anchor ``#ev-n``."""

    number: int
    statement: str
    subject: str
    verb: str
    object: str
    records: tuple[EvidenceRecord, ...]
    diseases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingItem:
    """One row of the table of findings."""

    concept: str
    anchor: str
    name: str
    told: str
    state: str
    places: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class SentenceItem:
    """One sentence of the rationale with the anchors of its evidence."""

    text: str
    part: str
    origin: str
    sound: bool
    evidence: tuple[int, ...]
    findings: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Statements:
    """Numbers statements in the order in which the page first needs them."""

    diseases: dict[str, list[str]] = field(default_factory=dict)

    def add(self, statements: Iterable[str], disease: str) -> None:
        for statement in statements:
            names = self.diseases.setdefault(statement, [])
            if disease and disease not in names:
                names.append(disease)

    def anchors(self) -> dict[str, str]:
        return {statement: f"#ev-{n}" for n, statement in enumerate(self.diseases, 1)}


def citation(text: str) -> Citation:
    """Give a citation an address where it is one (``https://…``) or has a known place (``PMID:123``)."""
    if text.startswith(("https://", "http://")) and not re.search(r"[\s<>\"']", text):
        return Citation(text, text)
    prefix, _, local = text.partition(":")
    pattern = _PLACES.get(prefix.upper())
    if pattern and _LOCAL.fullmatch(local):
        return Citation(text, pattern.format(local))
    return Citation(text)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _record(row: Mapping[str, object]) -> EvidenceRecord:
    publications = row.get("publications")
    texts = [str(p) for p in publications] if isinstance(publications, list | tuple) else []
    checked = row.get("checked")
    return EvidenceRecord(
        source=str(row.get("source") or ""),
        version=str(row.get("version") or ""),
        citations=tuple(citation(text) for text in texts),
        checked=checked if isinstance(checked, bool) else None,
        weight=_number(row.get("weight")),
        note=str(row.get("note") or ""),
    )


def _evidence_items(
    needed: _Statements, bundle: Bundle, fetched: EvidenceRows, names: Mapping[str, str]
) -> list[EvidenceItem]:
    """Describe every statement of the page: from the rows that the store gave, else from the bundle."""
    ids = list(needed.diseases)
    statements = {
        row["id"]: row for row in bundle.statements.filter(pl.col("id").is_in(ids)).collect().iter_rows(named=True)
    }
    records: dict[str, list[EvidenceRecord]] = {}
    for row in chain.from_iterable(fetched.values()):
        if isinstance(one := row.get("statement"), str) and "source" in row:
            record = _record(row)
            if record not in records.setdefault(one, []):
                records[one].append(record)
    rest = [one for one in ids if one not in records]
    for row in bundle.evidence.filter(pl.col("statement").is_in(rest)).collect().iter_rows(named=True):
        records.setdefault(row["statement"], []).append(_record(row))
    items = []
    for number, one in enumerate(ids, 1):
        found = statements.get(one)
        subject, object_ = (found["subject"], found["object"]) if found else ("?", "?")
        verb = VERBS[Predicate(found["predicate"])] if found else "?"
        negated = "does not: " if found and found["negated"] else ""
        items.append(
            EvidenceItem(
                number,
                one,
                names.get(subject, subject),
                negated + verb,
                names.get(object_, object_),
                tuple(records.get(one, ())),
                tuple(needed.diseases[one]),
            )
        )
    return items


def finding_state(finding: Finding) -> str:
    """Give ``present``, ``denied``, ``family``, ``history`` or ``possible``."""
    if finding.negated:
        return "denied"
    if finding.family:
        return "family"
    if finding.historical:
        return "history"
    return "possible" if finding.hypothetical else "present"


_STATES = ("present", "history", "family", "possible", "denied")


def _finding_items(
    findings: Sequence[Finding], diseases: Sequence[DiseaseResult], names: Mapping[str, str]
) -> list[FindingItem]:
    """Give one row a concept and state, attended ones first within each state."""
    weights: dict[str, float] = {}
    for disease in diseases:
        for node in disease.nodes:
            weights[node.concept] = max(weights.get(node.concept, 0.0), node.weight)
    rows: dict[tuple[str, str], tuple[Finding, dict[str, None]]] = {}
    for finding in findings:
        place = (finding.section or finding.origin).replace("_", " ")
        rows.setdefault((finding.concept, finding_state(finding)), (finding, {}))[1][place] = None
    items = [
        FindingItem(
            concept,
            f"finding-{concept.replace(':', '-')}",
            names.get(concept, concept),
            describe_finding(finding, names) if finding.origin in ("lab", "vital") else "",
            state,
            tuple(places),
            weights.get(concept, 0.0),
        )
        for (concept, state), (finding, places) in rows.items()
    ]
    items.sort(key=lambda item: (_STATES.index(item.state), -item.weight, item.name.casefold(), item.concept))
    seen: set[str] = set()
    unique = []
    for item in items:
        # An id may stand once in a page; a concept that is both present and denied keeps its first row's.
        unique.append(item if item.anchor not in seen else _without_anchor(item))
        seen.add(item.anchor)
    return unique


def _without_anchor(item: FindingItem) -> FindingItem:
    return FindingItem(item.concept, "", item.name, item.told, item.state, item.places, item.weight)


def _sentences(
    diagnosis: Diagnosis, anchors: Mapping[str, str], findings: Sequence[FindingItem], names: Mapping[str, str]
) -> dict[str, list[SentenceItem]]:
    """Group the rationale's sentences by the disease they argue for ("" where they name none alone)."""
    present = {item.concept: item.anchor for item in findings if item.anchor}
    groups: dict[str, list[SentenceItem]] = {}
    for sentence in diagnosis.rationale.sentences:
        origin, sound = "graph" if sentence.statements else "generated", True
        if isinstance(sentence, ToldSentence):
            origin, sound = sentence.origin, sentence.sound
        numbers = tuple(int(anchors[s].removeprefix("#ev-")) for s in sentence.statements if s in anchors)
        cited = tuple((present[c], names.get(c, c)) for c in sentence.findings if c in present)
        item = SentenceItem(sentence.text, sentence.part, origin, sound, numbers, cited)
        groups.setdefault(sentence.disease or "", []).append(item)
    return groups


def write_report(
    diagnosis: Diagnosis,
    admission: Admission,
    subgraph: PatientSubgraph,
    bundle: Bundle,
    evidence_rows: EvidenceRows,
    out: Path,
    *,
    findings: Sequence[Finding] = (),
    thresholds: Mapping[str, float] | None = None,
    store: str = "",
    include_text: bool = False,
) -> None:
    """Write the report of one diagnosis as one HTML file.

    Args:
        diagnosis: diseases, rationale, attended nodes, patches and spans.
        admission: its series are drawn; its text stands in the page only where ``include_text``.
        subgraph: mode ``all``.
        bundle: names, statements and their sources.
        evidence_rows: query name to the rows that it gave; rows with ``statement`` and ``source`` fill the table of
            evidence, every other query gets a table of its own.
        out: the file, written whole or not at all.
        findings: of the admission.
        thresholds: calibrated probability from which a disease is named, by phenotype.
        store: address (without credentials) that the rows come from.
        include_text: put the note's text into the page, with attended spans marked.

    Raises:
        InputError: where the file cannot be written.
    """
    names = concept_names(bundle) | {d.phenotype: d.name for d in diagnosis.diseases}
    ranked = sorted(diagnosis.diseases, key=lambda d: d.rank)
    shown = shown_diseases(ranked)
    needed = _needed_statements(diagnosis, subgraph, findings, names)
    drawing, _ = evidence_picture(ranked, subgraph, findings, names, needed.anchors())
    finding_items = _finding_items(findings, shown, names)
    context = {
        "diagnosis": diagnosis,
        "admission": admission,
        "ranked": ranked,
        "shown": shown,
        "max_ranked": MAX_RANKED,
        "thresholds": thresholds or {},
        "sentences": _sentences(diagnosis, needed.anchors(), finding_items, names),
        "drawing": drawing,
        **_curves(admission, shown),
        "evidence": _evidence_items(needed, bundle, evidence_rows, names),
        "tables": _other_tables(evidence_rows),
        "findings": finding_items,
        "pieces": _notes(admission, findings, shown, names) if include_text else [],
        "include_text": include_text,
        "store": store,
        "graph": {"hash": bundle.hash, "sources": bundle.manifest.get("sources", [])},
        "names": names,
    }
    render_page(out, "distill.report", "report.html.j2", **context)


def _needed_statements(
    diagnosis: Diagnosis, subgraph: PatientSubgraph, findings: Sequence[Finding], names: Mapping[str, str]
) -> _Statements:
    """Give the statements of the rationale, then those of the drawing, then those that diseases attended to."""
    needed = _Statements()
    for sentence in diagnosis.rationale.sentences:
        needed.add(sentence.statements, names.get(sentence.disease or "", ""))
    ranked = sorted(diagnosis.diseases, key=lambda d: d.rank)
    for support in evidence_picture(ranked, subgraph, findings, names, {})[1]:
        needed.add(support.statements, names[support.disease])
    for disease in shown_diseases(ranked):
        for node in disease.nodes[:10]:
            needed.add(node.statements, disease.name)
    return needed


def _curves(admission: Admission, shown: Sequence[DiseaseResult]) -> dict[str, object]:
    """Draw the series, and name those that the admission has no value of."""
    curves = draw_curves(admission.series, shown, series_by_code())
    measured = {series.code for series in admission.series if series.hours.size}
    return {
        "curves": curves[:MAX_CURVES],
        "more_curves": curves[MAX_CURVES:],
        "frame": {"w": WIDTH, "h": HEIGHT, "l": LEFT, "r": RIGHT, "t": TOP, "b": BOTTOM},
        "unmeasured": [s.name for s in load_series() if s.code not in measured],
    }


def _notes(
    admission: Admission, findings: Sequence[Finding], shown: Sequence[DiseaseResult], names: Mapping[str, str]
) -> list[tuple[str, str, list[NotePiece]]]:
    return [
        (note.section.replace("_", " "), note.origin, note_pieces(note, findings, shown, names, finding_state))
        for note in admission.notes
    ]


def _other_tables(
    evidence_rows: EvidenceRows,
) -> list[tuple[str, list[str], list[list[str]]]]:
    """Give the rows of queries that are not about sources, as text, under the question that each answers."""
    questions = {query.name: query.question for query in evidence_queries()}
    tables = []
    for name, rows in sorted(evidence_rows.items()):
        if not rows or ("statement" in rows[0] and "source" in rows[0]):
            continue
        # Where an id stands beside its name, the name is enough for a reader.
        columns = [c for c in rows[0] if f"{c}_name" not in rows[0] and c != "statement"]
        headings = [column.removesuffix("_name").replace("_", " ") for column in columns]
        cells = [[_cell(row.get(column)) for column in columns] for row in rows]
        tables.append((questions.get(name, name.replace("_", " ")), headings, cells))
    return tables


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return str(value)
