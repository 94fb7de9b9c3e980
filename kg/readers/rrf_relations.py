"""Relations of RRF files (``MRREL.RRF``, ``RXNREL.RRF``) as statements, each direction of a pair once.

A row reads from right to left: the *second* concept has relation ``RELA`` to the *first* (``C1 | … | CHD | C2 | … |
isa``: C2 is a C1, and C2 is the child). Every relation stands in the file twice, once in each direction; both rows
become the same statement here. Which predicate a relation has, and the name of its inverse, is ``rrf_relations.csv``.

Source: UMLS Reference Manual, chapter 3, https://www.ncbi.nlm.nih.gov/books/NBK9685/ (columns), and the pages
"relationships" of the UMLS source documentation (direction, names of REL),
https://www.nlm.nih.gov/research/umls/sourcereleasedocs/
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import polars as pl

from ehr.errors import InputError
from ehr.tables import Workspace
from kg.readers.lines import Entry
from kg.readers.records import Batch, Reject
from kg.readers.rrf import BATCH, faults, rows
from kg.vocabulary import Predicate

_MOST_NAMES = 5000
"""Different relation names in one file; the Metathesaurus has about a thousand."""

_BARE: dict[str, tuple[str, Predicate | None]] = {
    "PAR": ("CHD", Predicate.SUBCLASS_OF),
    "RB": ("RN", Predicate.RELATED_TO),
    "AQ": ("QB", None),
    "SY": ("SY", Predicate.CLOSE_MATCH),
    "RL": ("RL", Predicate.SIMILAR_TO),
    "RO": ("RO", Predicate.RELATED_TO),
    "RQ": ("RQ", Predicate.RELATED_TO),
    "RU": ("RU", Predicate.RELATED_TO),
    "SIB": ("SIB", None),
    "XR": ("XR", None),
    "DEL": ("DEL", None),
}
"""REL without RELA: its inverse, and the predicate (None: not read). These read from left to right ("has parent").

Siblings follow from parents; allowed qualifiers, deleted and "not related" rows relate nothing in the graph.
"""

_MIRROR = {inverse: rel for rel, (inverse, _) in _BARE.items()}


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of the rows of one REL and RELA.

    Attributes:
        name: the relation as it reads from subject to object.
        subject: ``second`` or ``first`` concept of the row; ``lower``: the smaller id, for relations that read both
            ways; ``once``: the second, and only where it is the smaller id, for relations whose inverse is not known.
        predicate, negated: of the statement.
    """

    name: str
    subject: str
    predicate: Predicate
    negated: bool = False


@cache
def _table() -> dict[str, tuple[str, str, str]]:
    """Give (name, inverse, predicate) by either name, in small letters."""
    text = files("kg.readers").joinpath("rrf_relations.csv").read_text(encoding="utf-8")
    table = {}
    for row in csv.DictReader(text.splitlines()):
        entry = (row["name"], row["inverse"], row["predicate"])
        table[row["name"]] = table[row["inverse"]] = entry
    return table


class Rules:
    """Decides what a relation of the file means.

    Args:
        wanted: names of REL or RELA; where given, only these (and their inverses) are read.
    """

    def __init__(self, wanted: frozenset[str] = frozenset()) -> None:
        self._wanted = frozenset(name.lower() for name in wanted)
        self._inverses: dict[str, str] = {}

    def add_inverse(self, name: str, inverse: str) -> None:
        """Take from ``MRDOC.RRF`` that two relations are each other's inverse."""
        if name and inverse and len(self._inverses) < 2 * _MOST_NAMES:
            self._inverses[name.lower()] = inverse.lower()

    def rule(self, rel: str, rela: str) -> Rule | None:
        """Give the rule for a row; None where it is not read."""
        rel, rela = rel.strip().upper(), rela.strip().lower()
        if not rela:
            return self._bare(rel)
        name, inverse, predicate = self._meaning(rela)
        asked = self._asked(rel, name, inverse)
        if self._wanted and not asked:
            return None
        if not predicate and not self._wanted:
            return None
        meaning = Predicate[(predicate or "RELATED_TO").removeprefix("not ")]
        if not inverse:
            return Rule(name, "second" if name in self._wanted else "once", meaning)
        subject = "lower" if name == inverse else "second" if rela == name else "first"
        return Rule(name, subject, meaning, predicate.startswith("not "))

    def _bare(self, rel: str) -> Rule | None:
        name = _MIRROR.get(rel, rel)
        inverse, predicate = _BARE.get(name, (name, Predicate.RELATED_TO))
        if self._wanted and not self._asked(rel, name, inverse):
            return None
        if predicate is None and not self._wanted:
            return None
        subject = "lower" if name == inverse else "first" if rel == name else "second"
        return Rule(name, subject, predicate or Predicate.RELATED_TO)

    def _asked(self, rel: str, name: str, inverse: str) -> bool:
        """Say whether a relation, its inverse, or what either is in general is among those wanted."""
        names = {name, inverse, rel, _MIRROR.get(rel, rel), _BARE.get(rel, (rel, None))[0]}
        return bool(self._wanted & {one.lower() for one in names})

    def _meaning(self, rela: str) -> tuple[str, str, str]:
        """Give name, inverse (empty where unknown) and predicate (empty: not read)."""
        if rela in _table():
            return _table()[rela]
        if rela in self._inverses:
            name, inverse = sorted((rela, self._inverses[rela]))
            return name, inverse, Predicate.RELATED_TO.name
        return rela, "", Predicate.RELATED_TO.name


class Relations:
    """Gathers the relations between the concepts of one source.

    Args:
        work: where; the table ``best`` has the concepts that are kept (``cui``), ``seen`` all that the file of names
            knows, and ``atoms_of`` (where ``by_atom``) the concept of each atom (``aui``, ``cui``).
        rules: what each relation means.
        prefix: of the concepts' ids.
        by_atom: whether rows without concepts but with atoms occur (RxNorm).
    """

    def __init__(self, work: Workspace, rules: Rules, prefix: str, *, by_atom: bool = False) -> None:
        self._work, self._rules, self._prefix, self._by_atom = work, rules, prefix, by_atom
        self._known: dict[tuple[str, str], tuple[int | None, str | None]] = {}
        self._kept: dict[tuple[str, str, bool], int] = {}
        self._name = ""
        work.run("CREATE TABLE rel (s VARCHAR, o VARCHAR, rule SMALLINT, sab VARCHAR, line BIGINT)")

    def stage(self, entry: Entry, keep: pl.Expr) -> Iterator[Batch | Reject]:
        """Read the file; ``keep`` tells by SAB and SUPPRESS which rows count.

        Raises:
            InputError: where it cannot be read.
        """
        self._name = entry.name.upper()
        for frame in rows(entry, "CUI1", "AUI1", "REL", "CUI2", "AUI2", "RELA", "SAB", "SUPPRESS"):
            if isinstance(frame, Reject):
                yield frame
                continue
            frame = self._with_ends(frame.filter(keep))
            empty = pl.any_horizontal(pl.col("a", "b") == "")
            yield from faults(frame, self._name, empty, "first or second concept is empty")
            self._work.insert("rel", self._oriented(frame))

    def _with_ends(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Name the ends ``a`` and ``b``; an atom stands for its concept, marked with ``@``, where only it is given."""
        ends = []
        for side, name in (("1", "a"), ("2", "b")):
            end = pl.col("CUI" + side).str.strip_chars()
            if self._by_atom:
                atom = pl.col("AUI" + side).str.strip_chars()
                end = pl.when((end == "") & (atom != "")).then(pl.lit("@") + atom).otherwise(end)
            ends.append(end.alias(name))
        return frame.with_columns(ends).filter((pl.col("a") != pl.col("b")) | (pl.col("a") == ""))

    def _oriented(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Turn each row so that its relation reads from ``s`` to ``o``; rows that are not read are left out."""
        pairs = frame.select("REL", "RELA").unique()
        numbers, subjects = [], []
        for rel, rela in pairs.rows():
            number, subject = self._number(rel, rela)
            numbers.append(number)
            subjects.append(subject)
        pairs = pairs.with_columns(
            rule=pl.Series(numbers, dtype=pl.Int16), subject=pl.Series(subjects, dtype=pl.String)
        ).drop_nulls()
        frame = frame.join(pairs, on=("REL", "RELA")).filter(
            (pl.col("a") != "") & (pl.col("b") != "") & ((pl.col("subject") != "once") | (pl.col("b") < pl.col("a")))
        )
        first = (pl.col("subject") == "first") | ((pl.col("subject") == "lower") & (pl.col("a") < pl.col("b")))
        turned = frame.select(
            s=pl.when(first).then("a").otherwise("b"),
            o=pl.when(first).then("b").otherwise("a"),
            rule="rule",
            sab="SAB",
            line="line",
        )
        return turned.unique(("s", "o", "rule", "sab"), keep="first", maintain_order=True)

    def _number(self, rel: str, rela: str) -> tuple[int | None, str | None]:
        """Give the number of what a relation says, the same for its inverse, and which end is the subject."""
        if (rel, rela) not in self._known:
            if len(self._known) >= _MOST_NAMES:
                raise InputError(f"more than {_MOST_NAMES} relations (RELA)", where=self._name, remedy="is it damaged?")
            rule = self._rules.rule(rel, rela)
            number = None
            if rule is not None:
                said = (rule.name, rule.predicate.value, rule.negated)
                number = self._kept.setdefault(said, len(self._kept))
            self._known[rel, rela] = (number, rule.subject if rule is not None else None)
        return self._known[rel, rela]

    def facts(self, names: str) -> Iterator[Batch]:
        """Yield relations with an end that is not in the file of ``names`` as rejects, then the statements.

        A statement comes once for every source vocabulary that makes it; relations of a concept to itself, and those
        of concepts that were filtered out, are passed over.
        """
        self._fold()
        self._work.run("CREATE TABLE half AS SELECT * FROM pairs SEMI JOIN best ON s = cui")
        dangling = f"""
            SELECT '{self._name} line ' || line AS record, replace('concept ' || min(e), 'concept @', 'atom ')
                || ' is not in {names}' AS reason
            FROM (SELECT s AS e, line FROM pairs UNION ALL SELECT o, line FROM pairs)
            ANTI JOIN seen ON e = cui GROUP BY line ORDER BY line"""  # noqa: S608
        for frame in self._work.batches(dangling, BATCH):
            yield Batch("rejects", frame)
        self._work.run("DROP TABLE pairs")
        facts = f"""
            SELECT '{self._prefix}:' || s AS subject, predicate, '{self._prefix}:' || o AS object, negated,
                s AS subject_as_written, o AS object_as_written, 'SAB ' || sab || '; ' || name AS note
            FROM half JOIN rules USING (rule) SEMI JOIN best ON o = cui
            ORDER BY s, o, name, sab"""  # noqa: S608
        for frame in self._work.batches(facts, BATCH):
            yield Batch("facts", frame)

    def _fold(self) -> None:
        """Make one row of the many that relate other atoms of the same concepts."""
        said = [(number, *key) for key, number in self._kept.items()]
        schema = {"rule": pl.Int16, "name": pl.String, "predicate": pl.String, "negated": pl.Boolean}
        self._work.run("CREATE TABLE rules (rule SMALLINT, name VARCHAR, predicate VARCHAR, negated BOOLEAN)")
        self._work.insert("rules", pl.DataFrame(said, schema=schema, orient="row"))
        ends = "rel"
        if self._by_atom:
            ends = """(SELECT coalesce(x.cui, s) AS s, coalesce(y.cui, o) AS o, rule, sab, line
                FROM rel LEFT JOIN atoms_of AS x ON s = '@' || x.aui LEFT JOIN atoms_of AS y ON o = '@' || y.aui)"""
        self._work.run(
            f"CREATE TABLE pairs AS SELECT s, o, rule, sab, min(line) AS line FROM {ends} WHERE s <> o GROUP BY ALL"  # noqa: S608
        )
        self._work.run("DROP TABLE rel")
