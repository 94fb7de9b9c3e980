"""Names of RRF files (``MRCONSO.RRF``, ``RXNCONSO.RRF``): which name a concept has, its synonyms, its codes.

Of the atoms of a concept the first by this order names it: not suppressed, English, TS = P, STT = PF, ISPREF = Y, the
higher precedence of source and term type (``MRRANK.RRF``; without it a short list of term types), the earlier line.
With all of a release and its own defaults this is the Metathesaurus's preferred name.

A code that stands in several concepts (a heading with its entry terms) is an exact match of the one that has its best
atom by the same precedence, and a cross-reference of the others.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from ehr.errors import InputError
from ehr.tables import Workspace
from kg.readers.lines import Entry
from kg.readers.records import EXACT_MATCH, XREF, Batch, Reject
from kg.readers.rrf import BATCH, UNMAPPED, faults, prefix_of, rows
from kg.vocabulary import Category

CLOSE_MATCH = "skos:closeMatch"
"""Mapping predicate between two ids of nearly the same thing."""

TERM_TYPES = ("PN", "MH", "PT", "PF", "NM", "HT", "FN", "IN", "PIN", "MIN", "SCD", "SBD", "BN", "CE", "ET", "PEP", "SY")
"""Term types from the more to the less preferred, for releases without ``MRRANK.RRF``; others follow."""

_CLOSE = ("ATC", "MTHSPL")
"""Sources whose codes mean a use or a marketed product of the thing, not the thing."""

_MOST_SOURCES = 5000
"""Different values of SAB in one file; the Metathesaurus has about two hundred."""

_MOST_KINDS = 20_000
"""Different pairs of term type and source; the Metathesaurus has about a thousand."""

_LAST = 0xFFFF
_SUPPRESSION_BIT = 4 + 16 + 34
"""Of a rank: below it stand language, TS, STT and ISPREF (a bit each), place (16 bits) and line (34)."""

_SUPPRESSED = {"N": 0, "E": 1, "Y": 2, "O": 3}


@dataclass(frozen=True, slots=True)
class Choice:
    """Which atoms are read.

    Attributes:
        languages: values of LAT; empty for all.
        names: sources (SAB) that name concepts; empty for all.
        codes: sources whose codes become mappings; empty for all.
        own: the source whose codes are the concepts' ids themselves.
        suppressible: whether rows with SUPPRESS other than N count.
        level: highest source restriction level (SRL); None for all.
    """

    languages: frozenset[str] = frozenset({"ENG"})
    names: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()
    own: str = ""
    suppressible: bool = False
    level: int | None = None

    def allows(self, column: str = "SUPPRESS") -> pl.Expr:
        """Tell by SUPPRESS whether a row counts."""
        return pl.lit(True) if self.suppressible else pl.col(column).is_in(["N", ""])


@dataclass(slots=True)
class Vocabulary:
    """What is known of a source vocabulary (SAB): highest restriction level, and languages."""

    level: int = 0
    languages: set[str] = field(default_factory=set)


class Atoms:
    """Gathers the names of one release.

    Args:
        work: where; the tables ``best`` (concepts that are kept) and ``seen`` (all) are left for others.
        choice: which atoms are read.
        prefix: of the concepts' ids.
        pattern: of the concepts' ids as written.
        places: precedence (0 first) by source and term type; by ("", term type) where the source does not matter.
        by_atom: whether to fill the table ``atoms_of`` (``aui``, ``cui``).
    """

    def __init__(
        self,
        work: Workspace,
        choice: Choice,
        prefix: str,
        pattern: str,
        places: Mapping[tuple[str, str], int],
        *,
        by_atom: bool = False,
    ) -> None:
        self._by_atom = by_atom
        self._work, self._choice, self._prefix, self._pattern = work, choice, prefix, pattern
        self._by_source = any(sab for sab, _ in places)
        self._places = pl.DataFrame(
            [(sab, tty, min(place, _LAST)) for (sab, tty), place in places.items()],
            schema={"SAB": pl.String, "TTY": pl.String, "place": pl.UInt64},
            orient="row",
        ).drop(() if self._by_source else "SAB")
        self.vocabularies: dict[str, Vocabulary] = {}
        self._name = ""
        work.run("CREATE TABLE seen (cui VARCHAR)")
        work.run("CREATE TABLE atoms_of (aui VARCHAR, cui VARCHAR)")
        work.run("CREATE TABLE atoms (cui VARCHAR, str VARCHAR, kind SMALLINT, rank UBIGINT)")
        work.run("CREATE TABLE codes (cui VARCHAR, sab SMALLINT, code VARCHAR, rank UBIGINT)")
        self._kinds: dict[tuple[str, str], int] = {}
        self._sabs: dict[str, int] = {}

    def stage(self, entry: Entry) -> Iterator[Batch | Reject]:
        """Read the file of names.

        Raises:
            InputError: where it cannot be read, has no rows, or none is left by what was asked for.
        """
        self._name = entry.name.upper()
        wanted = ("CUI", "LAT", "TS", "STT", "ISPREF", "AUI", "SAB", "TTY", "CODE", "STR", "SRL", "SUPPRESS")
        for frame in rows(entry, *wanted):
            if isinstance(frame, Reject):
                yield frame
                continue
            frame = frame.with_columns(pl.col("STR").str.strip_chars())
            named = pl.col("CUI").str.contains(f"^(?:{self._pattern})$")
            yield from faults(frame, self._name, ~named, f"no concept id in column 1, expected {self._pattern}")
            yield from faults(frame, self._name, named & (pl.col("STR") == ""), "a concept's name is empty")
            frame = frame.filter(named & (pl.col("STR") != ""))
            self._note(frame)
            self._work.insert("seen", frame.select(cui="CUI").unique(maintain_order=True))
            kept = self._ranked(frame)
            self._work.insert("atoms", self._names(kept))
            self._work.insert("codes", self._coded(kept))
            if self._by_atom:
                self._work.insert("atoms_of", frame.filter(pl.col("AUI") != "").select(aui="AUI", cui="CUI"))
        self._check(entry)
        for step in (
            "CREATE TABLE names AS SELECT cui, str, min(rank) AS rank, arg_min(kind, rank) AS kind FROM atoms "
            "GROUP BY cui, str",
            "DROP TABLE atoms",
            "CREATE TABLE best AS SELECT cui, min(rank) AS rank FROM names GROUP BY cui",
            "CREATE TABLE once AS SELECT DISTINCT cui FROM seen",
            "DROP TABLE seen",
            "ALTER TABLE once RENAME TO seen",
        ):
            self._work.run(step)

    def _note(self, frame: pl.DataFrame) -> None:
        """Remember the levels and languages of the sources."""
        level = pl.col("SRL").cast(pl.Int64, strict=False).fill_null(0).max()
        for sab, srl, languages in frame.group_by("SAB").agg(level, pl.col("LAT").unique()).rows():
            if len(self.vocabularies) > _MOST_SOURCES:
                raise InputError(f"more than {_MOST_SOURCES} sources (SAB)", where=self._name, remedy="is it damaged?")
            vocabulary = self.vocabularies.setdefault(sab, Vocabulary())
            vocabulary.level = max(vocabulary.level, srl)
            vocabulary.languages.update(languages)

    def _ranked(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Keep the wanted atoms, with the numbers by which the first of a concept or of a code is found."""
        choice = self._choice
        naming = pl.lit(True) if not choice.names else pl.col("SAB").is_in(sorted(choice.names))
        coding = pl.lit(True) if not choice.codes else pl.col("SAB").is_in(sorted(choice.codes))
        keep = choice.allows() & (naming | coding)
        if choice.languages:
            keep &= pl.col("LAT").is_in(sorted(choice.languages))
        if choice.level is not None:
            keep &= pl.col("SRL").cast(pl.Int64, strict=False).fill_null(0) <= choice.level
        keys = ["SAB", "TTY"] if self._by_source else ["TTY"]
        frame = frame.filter(keep).join(self._places, on=keys, how="left", maintain_order="left")
        suppressed = pl.col("SUPPRESS").replace_strict(_SUPPRESSED, default=2, return_dtype=pl.UInt64)
        place = pl.col("place").fill_null(_LAST)
        rank = suppressed
        for column, value in (("LAT", "ENG"), ("TS", "P"), ("STT", "PF"), ("ISPREF", "Y")):
            rank = rank * 2 + (pl.col(column).str.to_uppercase() != value).cast(pl.UInt64)
        line = pl.col("line").cast(pl.UInt64)
        return frame.with_columns(
            naming=naming,
            coding=coding,
            rank=(rank * (_LAST + 1) + place) * 2**34 + line,
            coderank=(suppressed * (_LAST + 1) + place) * 2**34 + line,
        )

    def _names(self, frame: pl.DataFrame) -> pl.DataFrame:
        frame = frame.filter("naming")
        pairs = frame.select("TTY", "SAB").unique(maintain_order=True)
        kinds = [self._kinds.setdefault((tty, sab), len(self._kinds)) for tty, sab in pairs.rows()]
        if len(self._kinds) > _MOST_KINDS:
            raise InputError(f"more than {_MOST_KINDS} term types", where=self._name, remedy="is it damaged?")
        numbered = frame.join(pairs.with_columns(kind=pl.Series(kinds, dtype=pl.Int16)), on=("TTY", "SAB"))
        return numbered.select("kind", "rank", cui="CUI", str="STR")

    def _coded(self, frame: pl.DataFrame) -> pl.DataFrame:
        code = pl.col("CODE").str.strip_chars()
        usable = ~code.str.contains(r"^(?:NOCODE|MTHU\d+|.*\s.*|)$")
        frame = frame.filter(pl.col("coding") & usable & ~pl.col("SAB").is_in([*UNMAPPED, self._choice.own]))
        sabs = frame.select("SAB").unique(maintain_order=True)
        numbers = [self._sabs.setdefault(sab, len(self._sabs)) for (sab,) in sabs.rows()]
        numbered = frame.join(sabs.with_columns(sab=pl.Series(numbers, dtype=pl.Int16)), on="SAB")
        return numbered.select("sab", cui="CUI", code=code, rank="coderank")

    def kinds_of(self, term_types: Collection[str]) -> list[int]:
        """Give the numbers that column ``kind`` of the table ``names`` has for some term types."""
        return [number for (tty, _), number in self._kinds.items() if tty in term_types]

    def _check(self, entry: Entry) -> None:
        if not self.vocabularies:
            raise InputError("holds no names", where=str(entry), remedy="fetch it again")
        missing = sorted(self._choice.names - self.vocabularies.keys())
        shown = ", ".join(heapq.nsmallest(40, self.vocabularies))
        if missing:
            raise InputError(f"no rows of SAB {missing[0]!r}", where=str(entry), remedy=f"it has {shown}")
        if not self._work.frame("SELECT 1 FROM atoms LIMIT 1").height:
            languages = {one for v in self.vocabularies.values() for one in v.languages}
            raise InputError(
                "no row is left by language, source, restriction level and suppression",
                where=str(entry),
                remedy=f"it has languages {', '.join(heapq.nsmallest(20, languages))} and sources {shown}",
            )

    def concepts(self, category: Category) -> Iterator[Batch]:
        """Yield the concepts.

        Takes the tables ``categories`` (``cui``, ``category``) and ``definitions`` (``cui``, ``text``); ``category``
        is that of concepts without one. A concept is deprecated where its best name is obsolete: then all are.
        """
        obsolete = _SUPPRESSED["O"] << _SUPPRESSION_BIT
        # One join a step: of several at once none can be put on disk.
        self._work.run(f"""CREATE TABLE named AS SELECT cui, str, n.rank >= {obsolete} AS gone
            FROM names AS n JOIN best USING (cui, rank)""")  # noqa: S608
        self._work.run(
            "CREATE TABLE sorted AS SELECT named.*, c.category FROM named LEFT JOIN categories AS c USING (cui)"
        )
        sql = f"""
            SELECT '{self._prefix}:' || s.cui AS id, coalesce(s.category, '{category.value}') AS category,
                s.str AS name, coalesce(d.text, '') AS definition, s.gone AS deprecated
            FROM sorted AS s LEFT JOIN definitions AS d USING (cui) ORDER BY s.cui"""  # noqa: S608
        for frame in self._work.batches(sql, BATCH):
            yield Batch("concepts", frame)
        for table in ("named", "sorted", "definitions", "categories"):
            self._work.run(f"DROP TABLE {table}")

    def synonyms(self) -> Iterator[Batch]:
        """Yield the other names, each once a concept; ``kind`` is its best atom's term type and source (``PT/MSH``)."""
        kinds = pl.Series([f"{tty}/{sab}" for tty, sab in self._kinds], dtype=pl.String)
        sql = f"""
            SELECT '{self._prefix}:' || cui AS concept, str AS text, kind
            FROM names ANTI JOIN best USING (cui, rank) ORDER BY cui, rank"""  # noqa: S608
        for frame in self._work.batches(sql, BATCH):
            yield Batch("synonyms", frame.with_columns(scope=pl.lit("exact"), kind=kinds.gather(frame["kind"])))
        self._work.run("DROP TABLE names")

    def codes(self) -> Iterator[Batch]:
        """Yield the source vocabularies' codes as mappings."""
        prefixes = pl.DataFrame(
            [(number, prefix_of(sab), sab in _CLOSE) for sab, number in self._sabs.items()],
            schema={"sab": pl.Int16, "prefix": pl.String, "close": pl.Boolean},
            orient="row",
        )
        self._work.run("CREATE TABLE prefixes (sab SMALLINT, prefix VARCHAR, close BOOLEAN)")
        self._work.insert("prefixes", prefixes)
        for step in (
            "CREATE TABLE one AS SELECT sab, code, cui, min(rank) AS rank FROM codes GROUP BY ALL",
            "DROP TABLE codes",
            "CREATE TABLE top AS SELECT sab, code, min(rank) AS rank FROM one GROUP BY ALL",
            "CREATE TABLE coded AS SELECT sab, code, cui, one.rank = top.rank AS first "
            "FROM one JOIN top USING (sab, code)",
        ):
            self._work.run(step)
        sql = f"""
            SELECT '{self._prefix}:' || cui AS subject,
                CASE WHEN NOT first THEN '{XREF}' WHEN close THEN '{CLOSE_MATCH}' ELSE '{EXACT_MATCH}' END AS predicate,
                CASE WHEN starts_with(code, prefix || ':') THEN code ELSE prefix || ':' || code END AS object
            FROM coded JOIN prefixes USING (sab) SEMI JOIN best USING (cui) ORDER BY cui, prefix, code"""  # noqa: S608
        for frame in self._work.batches(sql, BATCH):
            yield Batch("mappings", frame)
        for table in ("one", "top", "coded"):
            self._work.run(f"DROP TABLE {table}")
