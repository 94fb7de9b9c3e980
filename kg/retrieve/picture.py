"""Where the nodes and edges of a subgraph lie in its picture: findings left, terms between, candidates right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kg.retrieve.explain import ranked_candidates
from kg.retrieve.scores import candidate_scores
from kg.types import Edge, PatientSubgraph, Seed
from kg.vocabulary import Category

ROW, TOP, BOX = 26, 46, 300
COLUMNS = {"finding": 80, "between": 530, "candidate": 980}
"""Left edge of each column's boxes, in pixels; boxes are `BOX` wide."""
WIDTH = 1360
_LETTERS = 41
_BULGE = 76
_SHORT = {"medication": "drug"}


@dataclass(frozen=True, slots=True)
class Box:
    """A node as drawn; ``kind`` is a column or ``denied``, ``note`` is told when the pointer rests on it."""

    index: int
    id: str
    label: str
    kind: str
    x: int
    y: int
    note: str
    bar: int
    tag: str


@dataclass(frozen=True, slots=True)
class Line:
    """An edge as drawn; ``group`` is what the reader can switch on and off."""

    source: int
    target: int
    curve: str
    kind: str
    group: str
    strong: bool
    note: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything to draw, in pixels."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    height: int
    width: int = WIDTH


def picture_of(subgraph: PatientSubgraph, names: Mapping[str, str]) -> Picture:
    """Lay a subgraph out.

    Args:
        subgraph: to draw.
        names: of its nodes; the id stands in for one that is missing.
    """
    seeds = {seed.concept: seed for seed in subgraph.seeds}
    columns = _columns(subgraph, seeds)
    rows = max(len(nodes) for nodes in columns.values())
    # What lies between stands at the foot: most lines from findings to candidates then pass above it, not behind it.
    first = {"between": max(rows - len(columns["between"]), 2 * rows // 3)}
    place = {
        node: (name, first.get(name, 0) + row) for name, nodes in columns.items() for row, node in enumerate(nodes)
    }
    ranks, totals = ranked_candidates(subgraph), candidate_scores(subgraph)
    most = max(totals.values(), default=0.0)
    boxes = []
    for index, node in enumerate(subgraph.nodes):
        column, row = place[node]
        name = names.get(node, node)
        seed = seeds.get(node)
        told = [f"{name} ({node})", subgraph.categories[index].label]
        bar, tag, kind = 0, "", column
        if seed is not None:
            told.append(f"{seed.state}; from {', '.join(seed.origins)}; weight {seed.weight:.2f}")
            bar, tag = round(BOX * seed.weight), "/".join(_SHORT.get(origin, origin) for origin in seed.origins)
            kind = seed.state if column == "finding" and seed.state == "denied" else column
        if node in ranks:
            told.append(f"rank {ranks[node]}, score {totals[node]:.3f}")
            bar, tag = round(BOX * totals[node] / most), f"{totals[node]:.2f}"
        elif column == "candidate":
            told.append("no path reaches it")
            kind = "unreached"
        box = Box(
            index,
            node,
            _cut(name, _LETTERS - len(tag)),
            kind,
            COLUMNS[column],
            TOP + ROW * row,
            "\n".join(told),
            bar,
            tag,
        )
        boxes.append(box)
    on_path = {statement for path in subgraph.paths for statement in path.statements}
    lines = [_line(edge, boxes, edge.statement in on_path) for edge in subgraph.edges]
    lines.sort(key=lambda line: line.strong)  # the strong ones lie on top
    rows = max(rows, first["between"] + len(columns["between"]))
    return Picture(tuple(boxes), tuple(lines), TOP + ROW * rows + 10)


def _columns(subgraph: PatientSubgraph, seeds: Mapping[str, Seed]) -> dict[str, list[str]]:
    """Put every node into a column, and order each so that lines cross little."""
    ranks = ranked_candidates(subgraph)
    kinds = dict(zip(subgraph.nodes, subgraph.categories, strict=True))
    candidates = [node for node in subgraph.nodes if kinds[node] is Category.DISEASE]
    candidates.sort(key=lambda node: (ranks.get(node, len(ranks) + 1), node))
    rest = [node for node in subgraph.nodes if kinds[node] is not Category.DISEASE]
    near = _neighbours(subgraph.edges, subgraph.nodes)
    at = {node: row for row, node in enumerate(candidates)}
    middle = [node for node in rest if node not in seeds]
    between = sorted(middle, key=lambda n: (_mean(at, near.get(n, ())), n))
    at |= {node: row for row, node in enumerate(between)}
    found = [node for node in rest if node in seeds]
    found.sort(key=lambda n: (seeds[n].state == "denied", _mean(at, near.get(n, ())), -seeds[n].weight, n))
    return {"finding": found, "between": between, "candidate": candidates}


def _neighbours(edges: Iterable[Edge], nodes: Sequence[str]) -> dict[str, list[str]]:
    near: dict[str, list[str]] = {}
    for edge in edges:
        one, other = nodes[edge.source], nodes[edge.target]
        near.setdefault(one, []).append(other)
        near.setdefault(other, []).append(one)
    return near


def _mean(at: Mapping[str, int], nodes: Iterable[str]) -> float:
    known = [at[node] for node in nodes if node in at]
    return sum(known) / len(known) if known else 99.0


def _cut(name: str, letters: int) -> str:
    return name if len(name) <= letters else name[: letters - 1].rstrip() + "…"


def _line(edge: Edge, boxes: Sequence[Box], strong: bool) -> Line:
    one, other = boxes[edge.source], boxes[edge.target]
    half = (ROW - 4) // 2
    y1, y2 = one.y + half, other.y + half
    if one.x == other.x:  # within a column: an arc at its outer side
        left = one.x == COLUMNS["finding"]
        x = one.x if left else one.x + BOX
        bulge = min(_BULGE, 18 + abs(y2 - y1) // 4)
        out = x - bulge if left else x + bulge
        curve = f"M{x} {y1}C{out} {y1} {out} {y2} {x} {y2}"
    else:
        forward = one.x < other.x
        x1, x2 = (one.x + BOX, other.x) if forward else (one.x, other.x + BOX)
        middle = (x1 + x2) // 2
        curve = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    kind = edge.predicate.relationship
    diseases = {"candidate", "unreached"}
    both = one.kind in diseases and other.kind in diseases
    group = "path" if strong else "disease" if both else kind
    note = f"{one.label} — {kind.lower().replace('_', ' ')} → {other.label}\nweight {edge.weight:.2f}, {edge.statement}"
    return Line(edge.source, edge.target, curve, kind, group, strong, note)
