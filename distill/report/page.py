"""One self-contained HTML page about one diagnosis: no script, nothing loaded from elsewhere, nothing unescaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distill.rationale import ToldSentence
from distill.report.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw_curves
from distill.report.evidence import EvidenceRows, Statements, evidence_items, other_tables
from distill.report.findings import FindingItem, finding_items, finding_state
from distill.report.notes import NotePiece, note_pieces
from distill.report.picture import evidence_picture, shown_diseases
from distill.teachers import concept_names
from distill.types import Diagnosis, DiseaseResult
from ehr.html import render_page
from ehr.series import load_series, series_by_code
from ehr.types import Admission
from kg.bundle import Bundle
from kg.types import Finding, PatientSubgraph

MAX_RANKED = 10
"""Diseases shown at once; the others are folded away."""
MAX_CURVES = 12


@dataclass(frozen=True, slots=True)
class SentenceItem:
    """One sentence of the rationale with the anchors of its evidence."""

    text: str
    part: str
    origin: str
    sound: bool
    evidence: tuple[int, ...]
    findings: tuple[tuple[str, str], ...]


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
    rows = finding_items(findings, shown, names)
    context = {
        "diagnosis": diagnosis,
        "admission": admission,
        "ranked": ranked,
        "shown": shown,
        "max_ranked": MAX_RANKED,
        "thresholds": thresholds or {},
        "sentences": _sentences(diagnosis, needed.anchors(), rows, names),
        "drawing": drawing,
        **_curves(admission, shown),
        "evidence": evidence_items(needed, bundle, evidence_rows, names),
        "tables": other_tables(evidence_rows),
        "findings": rows,
        "pieces": _notes(admission, findings, shown, names) if include_text else [],
        "include_text": include_text,
        "store": store,
        "graph": {"hash": bundle.hash, "sources": bundle.manifest.get("sources", [])},
        "names": names,
    }
    render_page(out, "distill.report", "report.html.j2", **context)


def _needed_statements(
    diagnosis: Diagnosis, subgraph: PatientSubgraph, findings: Sequence[Finding], names: Mapping[str, str]
) -> Statements:
    """Give the statements of the rationale, then those of the drawing, then those that diseases attended to."""
    needed = Statements()
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
