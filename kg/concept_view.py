"""A concept with what stands above, below and around it, as a store holds it: a tree to be drawn, and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from rich.text import Text
from rich.tree import Tree

from kg.merge import SYMMETRIC
from kg.readers.curies import normalise
from kg.stores import GraphStore
from kg.vocabulary import Category, Predicate

LEVELS = 4
"""Steps up the hierarchy that are shown."""
_NAMES = 8
_CITED = 3
_ABOVE = 60
"""Concepts above the shown one at most: an ontology with many ways up would fill the screen."""

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The other end of a statement about the shown concept.

    Attributes:
        publications: the first citations of its evidence.
        checked: True where a citation of curated evidence was opened, False where none was, None for released sources.
    """

    id: str
    name: str
    statement: str
    weight: float
    negated: bool
    sources: tuple[str, ...]
    publications: tuple[str, ...]
    checked: bool | None

    @property
    def origin(self) -> str:
        """Who says so, and whether the citation of curated evidence was opened."""
        mark = {True: "checked", False: "not checked", None: ""}[self.checked]
        return ", ".join(filter(None, (*self.sources, mark)))


@dataclass(frozen=True, slots=True)
class Branch:
    """The neighbours by one predicate, strongest first, cut.

    Attributes:
        outgoing: the shown concept is the subject; None for predicates that read both ways.
    """

    predicate: Predicate
    outgoing: bool | None
    neighbours: tuple[Neighbour, ...]
    total: int

    @property
    def title(self) -> str:
        """Predicate as words, with its direction (``has phenotype →``, ``← has phenotype``, ``similar to``)."""
        words = self.predicate.name.lower().replace("_", " ")
        if self.outgoing is None:
            return words
        if self.predicate is Predicate.SUBCLASS_OF and not self.outgoing:
            return "kinds of it"
        return f"{words} →" if self.outgoing else f"← {words}"


@dataclass(frozen=True, slots=True)
class Above:
    """A concept that the one below it in the tree is a kind of; one that was shown before has nothing above it."""

    id: str
    name: str
    above: tuple[Above, ...]


@dataclass(frozen=True, slots=True)
class ConceptView:
    """A concept and its surroundings.

    Attributes:
        asked: the id as the user wrote it, which may be another id of the concept, or a former one.
        found_as: ``""``, ``equivalent`` or ``former id``: what the asked id is.
        successor: id and name of what an obsolete concept was replaced by, where the graph knows.
    """

    asked: str
    found_as: str
    id: str
    name: str
    category: str
    source: str
    definition: str
    synonyms: tuple[str, ...]
    equivalents: tuple[str, ...]
    deprecated: bool
    successor: str
    above: tuple[Above, ...]
    branches: tuple[Branch, ...]

    def rows(self) -> list[Row]:
        """Give the tree as rows: ``level`` 0 for the concept, 1 for what is told of it, deeper for other concepts."""
        rows = [_row(0, _label(self.category), self.id, self.name, detail=self.definition)]
        rows += [_row(1, what, "", text) for what, text in self._facts() if what != "definition"]
        if self.above:
            rows.append(_row(1, "is a kind of", "", ""))
            rows += _rows_above(self.above, 2)
        for branch in self.branches:
            rows.append(_row(1, branch.title, "", str(branch.total)))
            for near in branch.neighbours:
                name = f"not: {near.name}" if near.negated else near.name
                rows.append(_row(2, "", near.id, name, near.weight, ", ".join((near.origin, *near.publications))))
            if left := branch.total - len(branch.neighbours):
                rows.append(_row(2, "", "", f"… {left} more"))
        return rows

    def _facts(self) -> list[tuple[str, str]]:
        told = [("definition", self.definition)]
        if self.found_as:
            told.insert(0, ("asked for", f"{self.asked}, its {self.found_as}"))
        if self.deprecated:
            told.append(("obsolete", f"replaced by {self.successor}" if self.successor else "no replacement known"))
        told.append(("also called", _some(self.synonyms)))
        told.append(("other ids", _some(self.equivalents)))
        told.append(("named by", self.source))
        return [(what, text) for what, text in told if text]

    def tree(self) -> Tree:
        """Draw it."""
        tree = Tree(Text.assemble((_line(self.name), "bold"), f"  {self.id}  ", (_label(self.category), "italic")))
        for what, text in self._facts():
            tree.add(Text.assemble((f"{what}: ", "dim"), _line(text)))
        if self.above:
            _draw_above(tree.add(Text("is a kind of", "cyan")), self.above)
        for branch in self.branches:
            limb = tree.add(Text.assemble((branch.title, "cyan"), (f"  {branch.total:,}", "dim")))
            for near in branch.neighbours:
                limb.add(
                    Text.assemble(
                        (f"{near.weight:.2f}  ", "dim"),
                        ("not ", "bold red") if near.negated else "",
                        _line(near.name),
                        (f"  {near.id}" if near.name != near.id else "", ""),
                        (f"  [{near.origin}]", "dim"),
                    )
                )
            if left := branch.total - len(branch.neighbours):
                limb.add(Text(f"… {left:,} more", "dim"))
        return tree


def _row(level: int, what: str, identifier: str, name: str, weight: float | None = None, detail: str = "") -> Row:
    return {"level": level, "what": what, "id": identifier, "name": name, "weight": weight, "detail": detail}


def _rows_above(above: Sequence[Above], level: int) -> list[Row]:
    rows: list[Row] = []
    for one in above:
        rows += [_row(level, "", one.id, one.name), *_rows_above(one.above, level + 1)]
    return rows


def _draw_above(tree: Tree, above: Sequence[Above]) -> None:
    for one in above:
        label = f"{one.name}  {one.id}" if one.name != one.id else one.id
        _draw_above(tree.add(Text(_line(label))), one.above)


def _line(text: str) -> str:
    """Give a text for the screen: signs that would steer a terminal or break the line become blanks."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _label(category: str) -> str:
    return category.split(":", 1)[-1] if category in {one.value for one in Category} else category


def _some(texts: Sequence[str]) -> str:
    left = len(texts) - _NAMES
    return "; ".join(texts[:_NAMES]) + (f"; … {left} more" if left > 0 else "")


@cache
def _cypher(name: str) -> str:
    return files("kg.queries").joinpath("explore", f"{name}.cypher").read_text(encoding="utf-8")


def _records(store: GraphStore, name: str, parameters: Mapping[str, object]) -> list[Row]:
    return store.query(_cypher(name), parameters, limit=None).records()


def concept_view(store: GraphStore, curie: str, *, limit: int = 12) -> ConceptView | None:
    """Find a concept and what surrounds it; None where the store has none of this id.

    Args:
        store: any store.
        curie: an id in any known spelling: the concept's own, another one of its clique, or a former one.
        limit: neighbours at most by predicate and direction.
    """
    asked = normalise(curie)
    found = _records(store, "concept", {"id": asked})
    found_as, successor = "", ""
    if not found or found[0]["deprecated"]:
        others = [one for one in _records(store, "concept_otherwise", {"id": asked}) if one["id"] != asked]
        if found and others:
            successor = f"{others[0]['id']} ({others[0]['name']})"
        elif others:
            found = _records(store, "concept", {"id": others[0]["id"]})
            found_as = "former id" if others[0]["former"] else "equivalent"
    if not found:
        return None
    row = found[0]
    identifier = str(row["id"])
    return ConceptView(
        asked=curie,
        found_as=found_as,
        id=identifier,
        name=str(row["name"]),
        category=str(row["category"]),
        source=str(row["source"] or ""),
        definition=str(row["definition"] or ""),
        synonyms=_texts(row["synonyms"]),
        equivalents=_texts(row["equivalents"]),
        deprecated=bool(row["deprecated"]),
        successor=successor,
        above=_above(store, identifier),
        branches=_branches(store, identifier, limit),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _branches(store: GraphStore, identifier: str, limit: int) -> tuple[Branch, ...]:
    groups: dict[tuple[Predicate, bool | None], list[Row]] = {}
    for outgoing, query in ((True, "outgoing"), (False, "incoming")):
        for row in _records(store, query, {"id": identifier}):
            predicate = Predicate(str(row["predicate"]))
            if outgoing and predicate is Predicate.SUBCLASS_OF and not row["negated"]:
                continue  # drawn as the way up
            groups.setdefault((predicate, None if predicate in SYMMETRIC else outgoing), []).append(row)
    order = list(Predicate)
    branches = []
    for (predicate, direction), rows in groups.items():
        if direction is None:  # from two queries
            rows.sort(key=lambda row: (bool(row["negated"]), -float(str(row["weight"])), str(row["id"])))
        near = tuple(_neighbour(row) for row in rows[:limit])
        branches.append(Branch(predicate, direction, near, len(rows)))

    def place(one: Branch) -> tuple[bool, bool, int]:
        # What is a kind of it follows on what it is a kind of.
        kinds = one.predicate is Predicate.SUBCLASS_OF and one.outgoing is False
        return (not kinds, one.outgoing is False, order.index(one.predicate))

    return tuple(sorted(branches, key=place))


def _neighbour(row: Row) -> Neighbour:
    checked = row["checked"]
    return Neighbour(
        id=str(row["id"]),
        name=str(row["name"]),
        statement=str(row["statement"]),
        weight=float(str(row["weight"])),
        negated=bool(row["negated"]),
        sources=_texts(row["sources"]),
        publications=_texts(row["publications"])[:_CITED],
        checked=checked if isinstance(checked, bool) else None,
    )


def _above(store: GraphStore, identifier: str) -> tuple[Above, ...]:
    """Go up the hierarchy level by level; every concept is shown once, where it is nearest."""
    parents: dict[str, list[tuple[str, str]]] = {}
    seen, level = {identifier}, [identifier]
    for _ in range(LEVELS):
        fresh: list[str] = []
        for row in _records(store, "parents", {"ids": level}) if level else []:
            parent = str(row["id"])
            parents.setdefault(str(row["child"]), []).append((parent, str(row["name"])))
            if parent not in seen and len(seen) <= _ABOVE:
                seen.add(parent)
                fresh.append(parent)
        level = fresh
    drawn = {identifier}

    def climb(child: str) -> tuple[Above, ...]:
        found = []
        for parent, name in parents.get(child, ()):
            again = parent in drawn
            drawn.add(parent)
            found.append(Above(parent, name, () if again else climb(parent)))
        return tuple(found)

    return climb(identifier)
