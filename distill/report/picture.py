"""Which part of a patient's subgraph the picture shows: the strongest paths from findings to the diagnosed diseases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from distill.report.layout import CHARACTERS, Drawing, GraphEdge, GraphNode, draw
from distill.teachers.sentences import describe_finding, in_sentence, measurement
from distill.teachers.support import Step, Support, SupportIndex
from distill.types import DiseaseResult
from kg.types import Finding, PatientSubgraph
from kg.vocabulary import Category, Predicate

MAX_DISEASES = 5
MAX_PATHS = 4
"""Paths a disease; more make a hairball."""

VERBS = {
    Predicate.SUBCLASS_OF: "kind of",
    Predicate.HAS_PHENOTYPE: "shows",
    Predicate.PREDISPOSES_TO: "predisposes to",
    Predicate.TREATS: "treats",
    Predicate.CLOSE_MATCH: "same as",
    Predicate.HAS_COMPLICATION: "complication",
    Predicate.DIFFERENTIAL_WITH: "differential",
    Predicate.HAS_HIGH_MEASUREMENT: "raises",
    Predicate.HAS_LOW_MEASUREMENT: "lowers",
    Predicate.HIGH_INDICATES: "high means",
    Predicate.LOW_INDICATES: "low means",
    Predicate.RELATED_TO: "related to",
}
"""Predicates as they stand at an edge, read from subject to object."""

_KINDS = {
    Category.DISEASE: "disease",
    Category.PHENOTYPE: "phenotype",
    Category.MEASUREMENT: "measurement",
    Category.DRUG: "drug",
    Category.PROCEDURE: "procedure",
    Category.EXPOSURE: "exposure",
}


def kind_of(category: Category | None) -> str:
    """Give the style of a node by its category."""
    return _KINDS.get(category, "other") if category is not None else "other"


def shown_diseases(diseases: Sequence[DiseaseResult]) -> list[DiseaseResult]:
    """Give the diseases that the report argues for: those named, else the most probable one."""
    ranked = sorted(diseases, key=lambda d: d.rank)
    named = [disease for disease in ranked if disease.named][:MAX_DISEASES]
    return named or ranked[:1]


def ranked_supports(disease: DiseaseResult, index: SupportIndex) -> list[Support]:
    """Give a disease's supports: what the diagnosis attended to first, then what retrieval ranked first."""
    return index.of(disease.phenotype, weights={node.concept: node.weight for node in reversed(disease.nodes)})


def _hops(steps: Sequence[Step]) -> list[list[Step]]:
    """Put "is a kind of" steps that follow each other together: one edge says as much as a chain."""
    hops: list[list[Step]] = []
    for step in steps:
        joined = hops and step.predicate is Predicate.SUBCLASS_OF is hops[-1][-1].predicate
        if joined and hops[-1][-1].forward == step.forward:
            hops[-1].append(step)
        else:
            hops.append([step])
    return hops


def _edge(hop: Sequence[Step], names: Mapping[str, str], anchors: Mapping[str, str]) -> GraphEdge:
    first, last = hop[0], hop[-1]
    verb = VERBS[first.predicate]
    told = []
    for step in hop:
        subject, target = (step.source, step.target) if step.forward else (step.target, step.source)
        told.append(f"{names.get(subject, subject)} – {verb} – {names.get(target, target)} (weight {step.weight:.2f})")
    return GraphEdge(
        source=first.source,
        target=last.target,
        label=verb if len(hop) == 1 else f"{verb} ({len(hop)} steps)",
        weight=min(step.weight for step in hop),
        forward=first.forward,
        directed=first.predicate not in (Predicate.CLOSE_MATCH, Predicate.DIFFERENTIAL_WITH, Predicate.RELATED_TO),
        title="; ".join(told),
        href=anchors.get(first.statement, ""),
    )


def evidence_picture(
    diseases: Sequence[DiseaseResult],
    subgraph: PatientSubgraph,
    findings: Sequence[Finding],
    names: Mapping[str, str],
    anchors: Mapping[str, str],
) -> tuple[Drawing, list[Support]]:
    """Draw the strongest paths from findings to the diseases that the report argues for.

    Args:
        diseases: of a diagnosis.
        subgraph: of the same admission.
        findings: of the same admission.
        names: concept id to name.
        anchors: statement id to the anchor of its row in the evidence table.

    Returns:
        The drawing, and the supports in it.
    """
    index = SupportIndex(subgraph, findings)
    category = dict(zip(subgraph.nodes, subgraph.categories, strict=True))
    shown = shown_diseases(diseases)
    most = MAX_PATHS if len(shown) <= 3 else MAX_PATHS - 1
    chosen = [support for disease in shown for support in ranked_supports(disease, index)[:most]]
    ways = [_hops(support.steps) for support in chosen]
    last = max((len(way) for way in ways), default=1)
    nodes: dict[str, GraphNode] = {}
    edges: dict[tuple[str, str, str], GraphEdge] = {}
    for support, way in zip(chosen, ways, strict=True):
        start = support.steps[0].source
        nodes.setdefault(start, _finding_node(support.finding, start, category.get(start), names))
        for column, hop in enumerate(way[:-1], 1):
            concept = hop[-1].target
            name = names.get(concept, concept)
            known = nodes.get(concept) or GraphNode(
                concept, name, kind_of(category.get(concept)), column, title=f"{name} ({concept})"
            )
            nodes[concept] = replace(known, column=max(known.column, column))
        for hop in way:
            key = (hop[0].source, hop[-1].target, hop[0].statement)
            if (key[1], key[0], key[2]) not in edges:
                edges.setdefault(key, _edge(hop, names, anchors))
    for disease in shown:
        nodes[disease.phenotype] = GraphNode(
            disease.phenotype, f"{disease.name} {disease.probability:.0%}", "disease", last,
            title=f"{disease.name} ({disease.phenotype}), probability {disease.probability:.1%}",
            href=f"#disease-{disease.rank}",
        )  # fmt: skip
    leftward = [edge for edge in edges.values() if nodes[edge.source].column < nodes[edge.target].column]
    used = {end for edge in leftward for end in (edge.source, edge.target)} | {d.phenotype for d in shown}
    return draw([node for node in nodes.values() if node.id in used], leftward), chosen


def _finding_node(finding: Finding, concept: str, category: Category | None, names: Mapping[str, str]) -> GraphNode:
    told = describe_finding(finding, names)
    own = finding.concept == concept
    name = in_sentence(names.get(concept, concept))
    if finding.family or finding.historical:
        name = told
    elif not own and finding.direction:
        name = f"{finding.direction} {name}"
    label = name[:1].upper() + name[1:] if name.split(" ")[0].islower() else name
    detail = ""
    if finding.value is not None:
        series = names.get(finding.code or "", "") if own else ""
        detail = f"{series}{measurement(finding).split(' at hour')[0].replace('(', '').rstrip(')')}".strip()
    return GraphNode(
        concept, label, kind_of(category), 0,
        detail=detail if len(detail) <= CHARACTERS else "",
        title=f"{told}; {names.get(concept, concept)} ({concept})",
        href=f"#finding-{finding.concept.replace(':', '-')}",
    )  # fmt: skip
