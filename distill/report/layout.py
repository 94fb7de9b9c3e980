"""Where nodes, edges and labels of an evidence graph stand: findings on the left, diseases on the right.

A layered drawing after Sugiyama, Tagawa and Toda (1981), reduced to what a handful of short paths needs: columns by
place on the path, order by barycentres, curved edges, labels moved along their edge until they touch no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

NODE_WIDTH = 176.0
LINE_HEIGHT = 15.0
NODE_PADDING = 8.0
COLUMN_GAP = 124.0
ROW_GAP = 14.0
CHARACTERS = 24
"""Characters that fit into one line of a node."""
_BEND_HEIGHT = 8.0
_LABEL_CHARACTER = 5.7
_LABEL_HEIGHT = 13.0
_PLACES = (0.5, 0.38, 0.62, 0.3, 0.7, 0.24, 0.76)
_ROUNDS = 8
_BEND = "bend"


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node to draw.

    Attributes:
        column: 0 is the leftmost.
        detail: a further, smaller line.
        title: shown on hover.
        href: an anchor of the page.
    """

    id: str
    name: str
    kind: str
    column: int
    detail: str = ""
    title: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """An edge to draw from a node further left to one further right.

    Attributes:
        forward: the statement itself leads from ``source`` to ``target``.
        directed: False where a statement reads both ways, and no arrow is drawn.
    """

    source: str
    target: str
    label: str
    weight: float
    forward: bool = True
    directed: bool = True
    title: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node with the corner, size and lines of its box."""

    node: GraphNode
    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An edge with its path (SVG syntax), the middle of its label, the label's width and the stroke's."""

    edge: GraphEdge
    path: str
    label_x: float
    label_y: float
    label_width: float
    stroke: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that is to be drawn, and the size of the canvas."""

    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    columns: int
    width: float
    height: float


def wrap(text: str, characters: int = CHARACTERS, most: int = 3) -> tuple[str, ...]:
    """Break a name into lines of at most so many characters; what goes beyond the last line ends in an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        while len(word) > characters:
            lines.append(word[:characters])
            word = word[characters:]
        if lines and len(lines[-1]) + 1 + len(word) <= characters:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    if len(lines) > most:
        lines = lines[:most]
        lines[-1] = lines[-1][: characters - 1].rstrip() + "…"
    return tuple(lines) or ("",)


def _order(nodes: Sequence[GraphNode], edges: Iterable[GraphEdge]) -> list[list[GraphNode]]:
    """Order every column by the mean place of its neighbours; the given order breaks ties."""
    columns: list[list[GraphNode]] = [[] for _ in range(max((node.column for node in nodes), default=0) + 1)]
    for node in nodes:
        columns[node.column].append(node)
    near: dict[str, list[str]] = {node.id: [] for node in nodes}
    for edge in edges:
        near[edge.source].append(edge.target)
        near[edge.target].append(edge.source)
    for turn in range(_ROUNDS):
        order = range(len(columns)) if turn % 2 == 0 else range(len(columns) - 1, -1, -1)
        for index in order:
            place = {node.id: row / len(column) for column in columns for row, node in enumerate(column)}
            column = columns[index]

            def centre(node: GraphNode, place: Mapping[str, float] = place) -> float:
                others = near[node.id]
                return sum(place[other] for other in others) / len(others) if others else place[node.id]

            column.sort(key=centre)
    return columns


def _point(ends: tuple[float, float, float, float], t: float) -> tuple[float, float]:
    """Give a point of the edge's cubic curve, whose inner control points lie half-way across."""
    x1, y1, x2, y2 = ends
    middle = (x1 + x2) / 2
    a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
    return (a * x1 + (b + c) * middle + d * x2, (a + b) * y1 + (c + d) * y2)


def _label_place(
    ends: tuple[float, float, float, float], width: float, taken: list[tuple[float, float, float]]
) -> tuple[float, float]:
    """Choose the place along the curve whose label overlaps least with those that stand there already."""
    best, least = _point(ends, _PLACES[0]), float("inf")
    for t in _PLACES:
        x, y = _point(ends, t)
        overlap = 0.0
        for other_x, other_y, other_width in taken:
            across = (width + other_width) / 2 + 4 - abs(x - other_x)
            down = _LABEL_HEIGHT + 1 - abs(y - other_y)
            if across > 0 and down > 0:
                overlap += across * down
        if overlap < least - 1e-9:
            best, least = (x, y), overlap
    taken.append((*best, width))
    return best


def _bends(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> list[tuple[GraphEdge, list[GraphNode]]]:
    """Give each edge its way: its ends, and one invisible node in every column that it crosses."""
    column = {node.id: node for node in nodes}
    ways = []
    for number, edge in enumerate(edges):
        one, other = column[edge.source], column[edge.target]
        between = [GraphNode(f"\0{number}:{place}", "", _BEND, place) for place in range(one.column + 1, other.column)]
        ways.append((edge, [one, *between, other]))
    return ways


def _place(columns: Sequence[Sequence[GraphNode]]) -> tuple[dict[str, PlacedNode], float]:
    """Give every node its box, and the height of the canvas."""
    lines = {n.id: (*wrap(n.name), *([n.detail] if n.detail else [])) for column in columns for n in column}
    heights = {
        n.id: _BEND_HEIGHT if n.kind == _BEND else len(lines[n.id]) * LINE_HEIGHT + 2 * NODE_PADDING
        for column in columns
        for n in column
    }
    tall = [sum(heights[n.id] for n in column) + ROW_GAP * max(len(column) - 1, 0) for column in columns]
    height = max(tall, default=0.0) + 2 * ROW_GAP
    placed: dict[str, PlacedNode] = {}
    for index, column in enumerate(columns):
        # Few nodes spread over the height, so that edges fan out; many stand close.
        free = (height - sum(heights[n.id] for n in column)) / (len(column) + 1)
        y = free
        for node in column:
            x = 1 + index * (NODE_WIDTH + COLUMN_GAP)
            placed[node.id] = PlacedNode(node, x, round(y, 1), NODE_WIDTH, heights[node.id], lines[node.id])
            y += heights[node.id] + free
    return placed, height


def draw(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> Drawing:
    """Place nodes and edges.

    Args:
        nodes: with their columns; given order breaks ties within a column.
        edges: between nodes of different columns, left to right.

    Returns:
        The drawing; equal input, equal drawing.
    """
    ways = _bends(nodes, edges)
    bends = [node for _, way in ways for node in way[1:-1]]
    parts = [GraphEdge(a.id, b.id, "", 0.0) for _, way in ways for a, b in pairwise(way)]
    columns = _order([*nodes, *bends], parts)
    placed, height = _place(columns)
    strongest = max((edge.weight for edge in edges), default=1.0) or 1.0
    taken: list[tuple[float, float, float]] = []
    drawn = []
    for edge, way in ways:
        boxes = [placed[node.id] for node in way]
        pieces: list[str] = []
        curves: list[tuple[float, float, float, float]] = []
        for one, other in pairwise(boxes):
            x1, y1, x2, y2 = one.x + one.width, one.y + one.height / 2, other.x, other.y + other.height / 2
            middle = (x1 + x2) / 2
            start = f"{'L' if pieces else 'M'}{x1:.1f} {y1:.1f}"
            pieces.append(f"{start}C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {x2:.1f} {y2:.1f}")
            curves.append((x1, y1, x2, y2))
        width = len(edge.label) * _LABEL_CHARACTER + 8
        if len(boxes) > 2:
            # Where an edge crosses a column it runs level and alone: the clearest place for its label.
            bend = boxes[1]
            curves[0] = (bend.x, bend.y + bend.height / 2, bend.x + bend.width, bend.y + bend.height / 2)
        x, y = _label_place(curves[0], width, taken)
        stroke = round(1.0 + 2.2 * max(edge.weight, 0.0) / strongest, 2)
        drawn.append(PlacedEdge(edge, "".join(pieces), round(x, 1), round(y, 1), round(width, 1), stroke))
    width = len(columns) * NODE_WIDTH + (len(columns) - 1) * COLUMN_GAP + 2
    visible = tuple(node for node in placed.values() if node.node.kind != _BEND)
    return Drawing(visible, tuple(drawn), len(columns), width, round(height, 1))
