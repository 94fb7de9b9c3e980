"""One subgraph as one self-contained page: no network, everything escaped, no text of the patient unless asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ehr.files import atomic_path
from ehr.html import inlined, templates
from kg.link import findings_of
from kg.retrieve.cohort import subgraph_of
from kg.retrieve.explain import Row, explain
from kg.retrieve.picture import BOX, COLUMNS, ROW, picture_of
from kg.types import Finding, PatientSubgraph

if TYPE_CHECKING:
    from ehr.cohort import Cohort
    from kg.bundle import Bundle

_AROUND = 40
"""Characters of the note shown before and after a finding."""
_SNIPPETS = 3
_HEADS = ("Findings (bar: weight)", "Terms between, and what else fits", "Candidate diseases (bar: score)")


def page_of(subgraph: PatientSubgraph, bundle: Bundle, snippets: Mapping[str, Sequence[str]] | None = None) -> str:
    """Give the page of a subgraph.

    Args:
        subgraph: to draw.
        bundle: the graph that it was retrieved from.
        snippets: what the note says of a finding's concept; none by default.
    """
    style, style_hash = inlined("kg.retrieve", "subgraph.css")
    script, script_hash = inlined("kg.retrieve", "subgraph.js")
    drawing = picture_of(subgraph, {node: bundle.name(node) for node in subgraph.nodes})
    rows: list[Row] = explain(subgraph, bundle)
    groups = sorted({line.group for line in drawing.lines} - {"path"})
    counts = {group: sum(line.group == group for line in drawing.lines) for group in groups}
    kinds = sorted({line.kind for line in drawing.lines} - set(groups))
    policy = f"default-src 'none'; style-src {style_hash}; script-src {script_hash}; base-uri 'none'"
    quoted = [(bundle.name(concept), list(texts)) for concept, texts in sorted((snippets or {}).items())]
    template = templates("kg.retrieve").get_template("subgraph.html.j2")
    return template.render(
        style=style,
        script=script,
        policy=policy,
        drawing=drawing,
        subgraph=subgraph,
        rows=rows,
        groups=groups,
        kinds=kinds,
        heads=list(zip(_HEADS, COLUMNS.values(), strict=True)),
        counts=counts,
        quoted=quoted,
        box=BOX,
        row=ROW,
        graph=bundle.hash[:12],
    )


def draw_admission(
    cohort: Cohort, bundle: Bundle, admission_id: str, file: Path, *, include_text: bool = False
) -> list[Row]:
    """Draw an admission's subgraph into an HTML file.

    Returns:
        One row: ``file``, ``nodes``, ``edges``, ``paths``.

    Raises:
        InputError: for an admission without a subgraph, or a file that cannot be written.
    """
    subgraph = subgraph_of(cohort, admission_id)
    snippets = _snippets(cohort, admission_id) if include_text else None
    page = page_of(subgraph, bundle, snippets)
    with atomic_path(file) as temporary:
        temporary.write_text(page, encoding="utf-8")
    sizes = {"nodes": len(subgraph.nodes), "edges": len(subgraph.edges), "paths": len(subgraph.paths)}
    return [{"file": str(file), **sizes}]


def _snippets(cohort: Cohort, admission_id: str) -> dict[str, list[str]]:
    """Quote the note around each finding, the first few of each concept."""
    sections = {note.section: note.text for note in cohort.admission(admission_id).notes}
    found: dict[str, list[str]] = {}
    findings: Sequence[Finding] = findings_of(cohort, [admission_id]).get(admission_id, ())
    for one in findings:
        text = sections.get(one.section or "", "")
        held = found.setdefault(one.concept, []) if one.start is not None and one.end is not None and text else []
        if one.start is not None and one.end is not None and text and len(held) < _SNIPPETS:
            quote = " ".join(text[max(0, one.start - _AROUND) : one.end + _AROUND].split())
            held.append(f"{one.section}: … {quote} …")
    return found
