"""UMLS Metathesaurus: concepts (CUI) with their names, codes, semantic types, definitions and relations.

Reads the files of a ``META`` directory in Rich Release Format; see `kg.readers.rrf_atoms` for names and codes and
`kg.readers.rrf_relations` for relations. A concept's category is that of its semantic types
(``semantic_types.csv``, names and numbers of the 127 types and nine former ones written from memory); of several the
more clinical one counts. Former CUIs that were merged (``MRCUI.RRF`` with SY, ``MERGEDCUI.RRF``) are replaced by the
current one.

No row becomes a Python object: blocks of rows go into a DuckDB database in a temporary directory, which sorts and
groups them on disk.

Source: UMLS Reference Manual, chapter 3, https://www.ncbi.nlm.nih.gov/books/NBK9685/
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

import polars as pl

from ehr.errors import InputError
from ehr.progress import say
from ehr.tables import Workspace
from kg.readers.lines import Damaged, Entry, find, need, read_lines, release_files
from kg.readers.records import REPLACED_BY, Batch, Header, Records, Reject
from kg.readers.rrf import BATCH, keeps_suppressed, level, number, rows, scratch
from kg.readers.rrf_atoms import TERM_TYPES, Atoms, Choice, Vocabulary
from kg.readers.rrf_relations import Relations, Rules
from kg.readers.source import Context, Format, Source
from kg.vocabulary import Category

LICENCE = "UMLS Metathesaurus License, https://www.nlm.nih.gov/databases/umls.html (sources have terms of their own)"

_WHAT = "the META directory of a UMLS release (MRCONSO.RRF, MRSTY.RRF, MRREL.RRF …)"
_OPTIONAL = {
    "MRREL.RRF": "concepts come without relations",
    "MRDEF.RRF": "concepts come without definitions",
    "MRSAB.RRF": "restriction levels and languages are taken from MRCONSO.RRF alone",
}
_FILES = ("MRSTY.RRF", *_OPTIONAL, "MRRANK.RRF", "MRDOC.RRF", "MRCUI.RRF", "MERGEDCUI.RRF", "release.dat")

_CUI = r"C\d{7}|CL\d{6,7}"
"""CUIs of UMLS, and those that the NCI Metathesaurus adds."""

_PRECEDENCE = (
    Category.DISEASE,
    Category.PHENOTYPE,
    Category.DRUG,
    Category.PROCEDURE,
    Category.MEASUREMENT,
    Category.GENE,
    Category.PROTEIN,
    Category.CELL,
    Category.COMPONENT,
    Category.ANATOMY,
    Category.ORGANISM,
    Category.DEVICE,
    Category.ACTIVITY,
    Category.PROCESS,
    Category.BEHAVIOUR,
    Category.EXPOSURE,
    Category.CHEMICAL,
    Category.OTHER,
)
"""Of several semantic types the one with the earlier category counts (a chemical that is also a drug is a drug)."""

_MOST_SOURCES, _MOST_RANKS = 5000, 100_000
"""Far beyond what a release has; a damaged file must not fill the memory."""

_DEFINING = ("MSH", "HPO", "NCI", "SNOMEDCT_US", "MEDLINEPLUS", "CSP", "GO")
"""Sources whose definition is taken first; then any other, in the order of the file."""


@cache
def semantic_types() -> dict[str, Category]:
    """Give the category of each semantic type by its number (TUI)."""
    text = files("kg.readers").joinpath("semantic_types.csv").read_text(encoding="utf-8")
    return {row["tui"]: Category("biolink:" + row["category"]) for row in csv.DictReader(text.splitlines())}


def umls_files(path: Path) -> list[Entry]:
    """Give the files that are read of a directory or archive.

    Raises:
        InputError: without ``MRCONSO.RRF``.
    """
    return release_files(path, "MRCONSO.RRF", *_FILES, what=_WHAT)


def read_umls(
    path: Path,
    source: str,
    choice: Choice | None = None,
    *,
    relations: frozenset[str] = frozenset(),
    category: Category | None = None,
) -> Records:
    """Read a ``META`` directory or zip archive; its files plain or gzipped.

    Args:
        path: the directory or archive.
        source: name of the source.
        choice: which rows count; by default all that are English and not suppressed.
        relations: names of REL or RELA (or their inverses) that are read; empty for all.
        category: of all concepts; then ``MRSTY.RRF`` is not needed.

    Raises:
        InputError: where ``MRCONSO.RRF`` or ``MRSTY.RRF`` is missing, or a file cannot be read.
    """
    choice = choice or Choice()
    conso = need(path, "MRCONSO.RRF", what=_WHAT)
    types = find(path, "MRSTY.RRF")
    if types is None and category is None:
        raise InputError(
            "holds no MRSTY.RRF, so nothing tells diseases from drugs",
            where=path,
            remedy="add it, or give all concepts one category with ?category=Disease",
        )
    for name, consequence in _OPTIONAL.items():
        if find(path, name) is None:
            say(f"{source}: no {name} in {path}; {consequence}")
    with scratch() as work:
        yield from _Reader(path, work, choice, relations).read(conso, types if category is None else None, category)


class _Reader:
    def __init__(self, path: Path, work: Workspace, choice: Choice, relations: frozenset[str]) -> None:
        self.path, self.work, self.choice, self.relations = path, work, choice, relations
        self.declared: dict[str, Vocabulary] = {}
        self.version = ""

    def read(self, conso: Entry, types: Entry | None, category: Category | None) -> Records:
        """Yield everything; names, codes and relations each as soon as their files are read."""
        for _ in self._sources():  # the header comes first, and needs the version
            pass
        yield Header(self._release() or self.version, LICENCE)
        yield from self._sources()
        atoms = Atoms(self.work, self.choice, "UMLS", _CUI, self._precedence())
        yield from atoms.stage(conso)
        known = atoms.vocabularies | self.declared
        yield from self._categories(types)
        yield from self._definitions(known)
        yield from atoms.concepts(category or Category.OTHER)
        yield from atoms.synonyms()
        yield from atoms.codes()
        yield from self._former()
        relations = find(self.path, "MRREL.RRF")
        if relations is not None:
            gathered = Relations(self.work, self._rules(), "UMLS")
            yield from gathered.stage(relations, self.choice.allows() & self._allowed(known))
            yield from gathered.facts(conso.name.upper())

    def _release(self) -> str:
        entry = find(self.path, "release.dat")
        for _, text in read_lines(entry) if entry is not None else ():
            if not isinstance(text, Damaged) and text.startswith("umls.release.name="):
                return text.partition("=")[2].strip()
        return ""

    def _sources(self) -> Iterator[Reject]:
        """Take restriction levels, languages and the release's name from ``MRSAB.RRF``."""
        entry = find(self.path, "MRSAB.RRF")
        for frame in rows(entry, "RSAB", "SRL", "LAT", "CURVER", "SVER", "IMETA") if entry is not None else ():
            if isinstance(frame, Reject):
                yield frame
                continue
            for sab, srl, language, current, version, since in frame.drop("line").rows():
                if current == "N" or len(self.declared) >= _MOST_SOURCES:
                    continue
                self.declared[sab] = Vocabulary(number(srl), {language} if language else set())
                if sab == "MTH":
                    self.version = version or since

    def _precedence(self) -> dict[tuple[str, str], int]:
        entry = find(self.path, "MRRANK.RRF")
        if entry is None:
            return {("", tty): place for place, tty in enumerate(TERM_TYPES)}
        ranks: dict[tuple[str, str], int] = {}
        for frame in rows(entry, "RANK", "SAB", "TTY"):
            if isinstance(frame, pl.DataFrame):
                ranks |= {(sab, tty): number(rank) for _, rank, sab, tty in frame.rows()}
            if len(ranks) > _MOST_RANKS:
                raise InputError(f"more than {_MOST_RANKS} ranks", where=str(entry), remedy="is this MRRANK.RRF?")
        highest = max(ranks.values(), default=0)
        return {key: highest - rank for key, rank in ranks.items()}

    def _allowed(self, known: dict[str, Vocabulary]) -> pl.Expr:
        """Tell by SAB whether a row of a relation or definition counts."""
        keep = pl.lit(True)
        if self.choice.names:
            keep &= pl.col("SAB").is_in(sorted(self.choice.names))
        if self.choice.level is not None:
            keep &= pl.col("SAB").is_in([sab for sab, one in known.items() if one.level <= self.choice.level])
        return keep

    def _categories(self, types: Entry | None) -> Iterator[Reject]:
        self.work.run("CREATE TABLE types (cui VARCHAR, place UTINYINT)")
        places = pl.DataFrame(
            {"TUI": list(semantic_types()), "place": [_PRECEDENCE.index(c) for c in semantic_types().values()]},
            schema={"TUI": pl.String, "place": pl.UInt8},
        )
        for frame in rows(types, "CUI", "TUI") if types is not None else ():
            if isinstance(frame, Reject):
                yield frame
                continue
            placed = frame.join(places, on="TUI", how="left").with_columns(
                pl.col("place").fill_null(len(_PRECEDENCE) - 1)
            )
            self.work.insert("types", placed.select(cui="CUI", place="place"))
        values = ", ".join(f"({place}, '{category.value}')" for place, category in enumerate(_PRECEDENCE))
        self.work.run(f"""CREATE TABLE categories AS SELECT cui, category
            FROM (SELECT cui, min(place) AS place FROM types GROUP BY cui)
            JOIN (VALUES {values}) AS v(place, category) USING (place)""")  # noqa: S608

    def _definitions(self, known: dict[str, Vocabulary]) -> Iterator[Reject]:
        """Keep one definition a concept: of the first source of `_DEFINING` that has one, else the file's first."""
        self.work.run("CREATE TABLE texts (cui VARCHAR, text VARCHAR, rank UBIGINT)")
        entry = find(self.path, "MRDEF.RRF")
        wanted = self.choice.languages
        foreign = [sab for sab, v in known.items() if wanted and v.languages and not v.languages & wanted]
        keep = self.choice.allows() & self._allowed(known) & ~pl.col("SAB").is_in(foreign)
        place = pl.col("SAB").replace_strict(
            {sab: n for n, sab in enumerate(_DEFINING)}, default=len(_DEFINING), return_dtype=pl.UInt64
        )
        for frame in rows(entry, "CUI", "SAB", "DEF", "SUPPRESS") if entry is not None else ():
            if isinstance(frame, Reject):
                yield frame
                continue
            rank = place * 2**34 + pl.col("line").cast(pl.UInt64)
            self.work.insert(
                "texts", frame.filter(keep).select(cui="CUI", text=pl.col("DEF").str.strip_chars(), rank=rank)
            )
        self.work.run("""CREATE TABLE definitions AS SELECT t.cui, t.text FROM texts AS t
            JOIN (SELECT cui, min(rank) AS rank FROM texts WHERE text <> '' GROUP BY cui) AS f
                ON f.cui = t.cui AND f.rank = t.rank""")
        self.work.run("DROP TABLE texts")

    def _former(self) -> Iterator[Reject | Batch]:
        """Yield the CUIs that were merged into one that is kept."""
        self.work.run("CREATE TABLE former (old VARCHAR, cui VARCHAR)")
        for name in ("MRCUI.RRF", "MERGEDCUI.RRF"):
            entry = find(self.path, name)
            relation = ("REL",) if name == "MRCUI.RRF" else ()
            for frame in rows(entry, "CUI1", "CUI2", *relation) if entry is not None else ():
                if isinstance(frame, Reject):
                    yield frame
                    continue
                merged = frame.filter(pl.col("REL") == "SY") if relation else frame
                self.work.insert("former", merged.select(old="CUI1", cui="CUI2"))
        sql = f"""SELECT DISTINCT 'UMLS:' || old AS subject, '{REPLACED_BY}' AS predicate, 'UMLS:' || cui AS object
            FROM former SEMI JOIN best USING (cui) WHERE old <> cui AND old <> '' ORDER BY ALL"""  # noqa: S608
        for frame in self.work.batches(sql, BATCH):
            yield Batch("mappings", frame)

    def _rules(self) -> Rules:
        rules = Rules(self.relations)
        entry = find(self.path, "MRDOC.RRF")
        for frame in rows(entry, "DOCKEY", "VALUE", "TYPE", "EXPL") if entry is not None else ():
            if isinstance(frame, pl.DataFrame):
                pairs = frame.filter((pl.col("DOCKEY") == "RELA") & (pl.col("TYPE") == "rela_inverse"))
                for name, inverse in pairs.select("VALUE", "EXPL").rows():
                    rules.add_inverse(name, inverse)
        return rules


def _read(source: Source, _: Context) -> Records:
    languages = source.list_option("lang") or frozenset({"ENG"})
    sabs = source.list_option("sab")
    choice = Choice(
        languages=frozenset() if "all" in languages else languages,
        names=sabs,
        codes=sabs,
        suppressible=keeps_suppressed(source),
        level=level(source),
    )
    return read_umls(source.path, source.name, choice, relations=source.list_option("rel"), category=source.category)


FORMAT = Format(
    name="umls",
    read=_read,
    title="UMLS Metathesaurus in Rich Release Format",
    specification="UMLS Reference Manual, chapter 3, https://www.ncbi.nlm.nih.gov/books/NBK9685/",
    example="umls:2024AB/META?sab=SNOMEDCT_US,MSH,HPO",
    met="only samples made after the specification",
    options={
        "lang": "languages of names (LAT), commas between, or all; ENG by default",
        "sab": "source vocabularies (SAB) whose names, codes, definitions and relations are read; all by default",
        "suppress": "keep: suppressible rows (O, E, Y) too; they are dropped by default",
        "srl": "highest source restriction level (0 to 9); any by default",
        "rel": "only these relations (REL or RELA, their inverses with them); all by default",
    },
    files=umls_files,
)
"""The format."""
