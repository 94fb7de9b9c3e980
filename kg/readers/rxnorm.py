"""RxNorm: ingredients, brands, clinical drugs and packs (RXCUI) with names, codes of other sources and relations.

A concept is an RXCUI with a name of RxNorm's own (SAB = RXNORM); what other sources call it becomes mappings to their
codes. Its name is that of the first of its term types (`TERM_TYPES`). Everything is a drug, ingredients too, except
dose forms and their groups, and what has only the semantic type Medical Device (test strips, lancets).

Relations are read as in UMLS, see `kg.readers.rrf_relations`. National Drug Codes (``RXNSAT.RRF``) are
cross-references, RXCUIs that were remapped to one other (``RXNCUI.RRF``) are replaced by it.

Source: RxNorm Technical Documentation, https://www.nlm.nih.gov/research/umls/rxnorm/docs/techdoc.html
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ehr.progress import say
from ehr.tables import Workspace
from kg.readers.lines import Entry, find, need, release_files
from kg.readers.records import REPLACED_BY, XREF, Batch, Header, Records, Reject
from kg.readers.rrf import BATCH, keeps_suppressed, level, rows, scratch
from kg.readers.rrf_atoms import Atoms, Choice
from kg.readers.rrf_relations import Relations, Rules
from kg.readers.source import Context, Format, Source
from kg.vocabulary import Category

LICENCE = (
    "RxNorm's own content (SAB RXNORM): no restriction; other sources: UMLS Metathesaurus License, "
    "https://www.nlm.nih.gov/research/umls/rxnorm/docs/termsofservice.html"
)

TERM_TYPES = (
    *("IN", "PIN", "MIN", "BN", "SCD", "SBD", "GPCK", "BPCK", "SCDC", "SBDC", "SCDF", "SBDF", "SCDFP", "SBDFP"),
    *("SCDG", "SBDG", "SCDGP", "DF", "DFG", "PSN", "SY", "TMSY", "ET"),
)
"""Term types in the order in which they name a concept: what it is, then the prescribable name and synonyms."""

_FORMS = ("DF", "DFG")
_DEVICE = "T074"
_WHAT = "the directory rrf of an RxNorm release (RXNCONSO.RRF, RXNREL.RRF …)"
_FILES = ("RXNREL.RRF", "RXNSTY.RRF", "RXNSAT.RRF", "RXNCUI.RRF", "RXNSAB.RRF")


def rxnorm_files(path: Path) -> list[Entry]:
    """Give the files that are read of a directory or archive.

    Raises:
        InputError: without ``RXNCONSO.RRF``.
    """
    return release_files(path, "RXNCONSO.RRF", *_FILES, what=_WHAT)


def read_rxnorm(
    path: Path,
    source: str,
    choice: Choice | None = None,
    *,
    relations: frozenset[str] = frozenset(),
    category: Category | None = None,
) -> Records:
    """Read the directory or zip archive of a release; its files plain or gzipped.

    Args:
        path: the directory or archive.
        source: name of the source.
        choice: which rows count; by default names of RxNorm and codes of all sources, none suppressed.
        relations: names of RELA (or their inverses) that are read; empty for all.
        category: of all concepts.

    Raises:
        InputError: where ``RXNCONSO.RRF`` is missing, or a file cannot be read.
    """
    choice = choice or _choice(frozenset())
    conso = need(path, "RXNCONSO.RRF", what=_WHAT)
    if find(path, "RXNREL.RRF") is None:
        say(f"{source}: no RXNREL.RRF in {path}; drugs come without ingredients and brands")
    with scratch() as work:
        yield from _Reader(path, work, choice, relations).read(conso, category)


def _choice(names: frozenset[str], *, suppressible: bool = False, most: int | None = None) -> Choice:
    return Choice(
        languages=frozenset(),
        names=names or frozenset({"RXNORM"}),
        own="RXNORM",
        suppressible=suppressible,
        level=most,
    )


class _Reader:
    def __init__(self, path: Path, work: Workspace, choice: Choice, relations: frozenset[str]) -> None:
        self.path, self.work, self.choice, self.relations = path, work, choice, relations

    def read(self, conso: Entry, category: Category | None) -> Records:
        """Yield everything; names, codes and relations each as soon as their files are read."""
        yield Header(self._version(), LICENCE)
        places = {("", tty): place for place, tty in enumerate(TERM_TYPES)}
        atoms = Atoms(self.work, self.choice, "RXNORM", r"\d{1,9}", places, by_atom=True)
        yield from atoms.stage(conso)
        yield from self._categories(atoms, category)
        self.work.run("CREATE TABLE definitions (cui VARCHAR, text VARCHAR)")
        yield from atoms.concepts(category or Category.DRUG)
        yield from atoms.synonyms()
        yield from atoms.codes()
        yield from self._national_codes()
        yield from self._former()
        relations = find(self.path, "RXNREL.RRF")
        if relations is not None:
            gathered = Relations(self.work, Rules(self.relations), "RXNORM", by_atom=True)
            # Some releases relate each RXCUI to the CUI of UMLS; UMLS says that from its side.
            foreign = pl.any_horizontal(pl.col("CUI1", "CUI2").str.contains(r"^C\d{7}$"))
            own = pl.col("SAB").is_in(sorted(self.choice.names))
            yield from gathered.stage(relations, self.choice.allows() & own & ~foreign)
            yield from gathered.facts(conso.name.upper())

    def _version(self) -> str:
        entry = find(self.path, "RXNSAB.RRF")
        for frame in rows(entry, "RSAB", "SVER", "CURVER") if entry is not None else ():
            if isinstance(frame, pl.DataFrame):
                current = frame.filter((pl.col("RSAB") == "RXNORM") & (pl.col("CURVER") != "N"))
                if current.height:
                    return str(current["SVER"][0])
        return ""

    def _categories(self, atoms: Atoms, category: Category | None) -> Iterator[Reject]:
        self.work.run("CREATE TABLE types (cui VARCHAR, device BOOLEAN)")
        entry = find(self.path, "RXNSTY.RRF") if category is None else None
        for frame in rows(entry, "CUI", "TUI") if entry is not None else ():
            if isinstance(frame, Reject):
                yield frame
                continue
            self.work.insert("types", frame.select(cui="CUI", device=pl.col("TUI") == _DEVICE))
        forms = ", ".join(str(kind) for kind in atoms.kinds_of(_FORMS)) if category is None else ""
        self.work.run(f"""CREATE TABLE categories AS SELECT cui, min(category) AS category FROM (
            SELECT cui, '{Category.OTHER.value}' AS category FROM names WHERE kind IN ({forms or "NULL"})
            UNION ALL
            (SELECT cui, '{Category.DEVICE.value}' FROM types GROUP BY cui HAVING bool_and(device))
            ) GROUP BY cui""")  # noqa: S608

    def _national_codes(self) -> Iterator[Reject | Batch]:
        """Yield the National Drug Codes of clinical and branded drugs."""
        self.work.run("CREATE TABLE national (cui VARCHAR, code VARCHAR)")
        entry = find(self.path, "RXNSAT.RRF")
        for frame in rows(entry, "CUI", "ATN", "SAB", "ATV", "SUPPRESS") if entry is not None else ():
            if isinstance(frame, Reject):
                yield frame
                continue
            wanted = (pl.col("ATN") == "NDC") & (pl.col("SAB") == "RXNORM") & self.choice.allows()
            codes = frame.filter(wanted).select(cui="CUI", code=pl.col("ATV").str.strip_chars())
            self.work.insert("national", codes.filter(pl.col("code").str.contains(r"^[\w-]+$")))
        sql = f"""SELECT DISTINCT 'RXNORM:' || cui AS subject, '{XREF}' AS predicate, 'NDC:' || code AS object
            FROM national SEMI JOIN best USING (cui) ORDER BY ALL"""  # noqa: S608
        for frame in self.work.batches(sql, BATCH):
            yield Batch("mappings", frame)

    def _former(self) -> Iterator[Reject | Batch]:
        """Yield the RXCUIs that are no more, where one other took their place."""
        self.work.run("CREATE TABLE former (old VARCHAR, cui VARCHAR)")
        entry = find(self.path, "RXNCUI.RRF")
        for frame in rows(entry, "CUI1", "CARDINALITY", "CUI2") if entry is not None else ():
            if isinstance(frame, Reject):
                yield frame
                continue
            self.work.insert("former", frame.filter(pl.col("CARDINALITY") == "1").select(old="CUI1", cui="CUI2"))
        sql = f"""SELECT DISTINCT 'RXNORM:' || old AS subject, '{REPLACED_BY}' AS predicate, 'RXNORM:' || cui AS object
            FROM former SEMI JOIN best USING (cui) ANTI JOIN best AS b ON b.cui = old
            WHERE old <> '' ORDER BY ALL"""  # noqa: S608
        for frame in self.work.batches(sql, BATCH):
            yield Batch("mappings", frame)


def _read(source: Source, _: Context) -> Records:
    choice = _choice(source.list_option("sab"), suppressible=keeps_suppressed(source), most=level(source))
    return read_rxnorm(source.path, source.name, choice, relations=source.list_option("rel"), category=source.category)


FORMAT = Format(
    name="rxnorm",
    read=_read,
    title="RxNorm in Rich Release Format",
    specification="RxNorm Technical Documentation, https://www.nlm.nih.gov/research/umls/rxnorm/docs/techdoc.html",
    example="rxnorm:RxNorm_full/rrf",
    met="only samples made after the specification",
    options={
        "sab": "sources (SAB) whose names and relations are read; RXNORM by default",
        "suppress": "keep: suppressible rows (O, E, Y) too; they are dropped by default",
        "srl": "highest source restriction level (0 to 9) of codes and names; any by default",
        "rel": "only these relations (RELA, their inverses with them); all by default",
    },
    files=rxnorm_files,
)
"""The format."""
