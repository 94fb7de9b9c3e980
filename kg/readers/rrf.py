"""UMLS Rich Release Format (RRF): the columns of each file, and what the readers of UMLS and RxNorm share.

RxNorm's files have the columns of the Metathesaurus's under other names (``RXCUI`` for ``CUI``); here both are called
as in the Metathesaurus.

Source: UMLS Reference Manual, chapter 3, https://www.ncbi.nlm.nih.gov/books/NBK9685/; RxNorm Technical Documentation,
https://www.nlm.nih.gov/research/umls/rxnorm/docs/techdoc.html
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from ehr.errors import InputError
from ehr.files import user_errors
from ehr.tables import Workspace
from kg.readers.columnar import Layout
from kg.readers.curies import normalise_prefix
from kg.readers.frames import read_frames
from kg.readers.lines import Entry
from kg.readers.records import Batch, Reject
from kg.readers.source import Source

_MEMORY = "450MB"
"""What DuckDB may hold before it writes to its scratch directory."""

_THREADS = 2
"""Each needs memory of its own, and the parsing of the files is the longer part."""

BATCH = 100_000
"""Rows of one `Batch`."""

BLOCK = 4 << 20
"""Bytes of a file that are read at once: the database beside it wants the memory."""

_CONSO = "CUI LAT TS LUI STT SUI ISPREF AUI SAUI SCUI SDUI SAB TTY CODE STR SRL SUPPRESS CVF"
_REL = "CUI1 AUI1 STYPE1 REL CUI2 AUI2 STYPE2 RELA RUI SRUI SAB SL RG DIR SUPPRESS CVF"
_SAB = (
    "VCUI RCUI VSAB RSAB SON SF SVER VSTART VEND IMETA RMETA SLC SCC SRL TFR CFR CXTY TTYL ATNL LAT CENC CURVER "
    "SABIN SSN SCIT"
)
_COLUMNS = {
    "MRCONSO.RRF": _CONSO,
    "MRREL.RRF": _REL,
    "MRSTY.RRF": "CUI TUI STN STY ATUI CVF",
    "MRDEF.RRF": "CUI AUI ATUI SATUI SAB DEF SUPPRESS CVF",
    "MRSAB.RRF": _SAB,
    "MRRANK.RRF": "RANK SAB TTY SUPPRESS",
    "MRDOC.RRF": "DOCKEY VALUE TYPE EXPL",
    "MRCUI.RRF": "CUI1 VER REL RELA MAPREASON CUI2 MAPIN",
    "MERGEDCUI.RRF": "CUI1 CUI2",
    "RXNCONSO.RRF": _CONSO,
    "RXNREL.RRF": _REL,
    "RXNSTY.RRF": "CUI TUI STN STY ATUI CVF",
    "RXNSAT.RRF": "CUI LUI SUI AUI STYPE CODE ATUI SATUI ATN SAB ATV SUPPRESS CVF",
    "RXNSAB.RRF": _SAB,
    "RXNCUI.RRF": "CUI1 VER_START VER_END CARDINALITY CUI2",
}

_PREFIXES = {"HPO": "HP", "MDR": "MEDDRA", "NCBI": "NCBITAXON", "ORPHANET": "ORPHA", "MED-RT": "MEDRT"}
"""Names of source vocabularies in UMLS that `kg.readers.curies` does not know by itself."""

UNMAPPED = frozenset({"MTH", "SRC", "CCS"})
"""Sources without codes of their own, and AHRQ's CCS, whose codes UMLS writes in a way of its own."""


def rows(entry: Entry, *keep: str) -> Iterator[pl.DataFrame | Reject]:
    """Read the wanted columns of a file that is known by its name; see `kg.readers.frames.read_frames`.

    Rejects carry the file's name, since one source has several: ``MRREL.RRF line 7``.
    """
    name = entry.name.upper()
    release = "an RxNorm release" if name.startswith("RXN") else "a UMLS release"
    layout = Layout(
        keep, delimiter="|", quoted=False, columns=_COLUMNS[name].split(), what=f"{name} of {release}", block=BLOCK
    )
    for one in read_frames(entry, layout):
        yield Reject(f"{name} {one.record}", one.reason) if isinstance(one, Reject) else one


def faults(frame: pl.DataFrame, name: str, fault: pl.Expr, reason: str) -> Iterator[Batch]:
    """Yield the rows of a frame for which ``fault`` holds as rejects."""
    bad = frame.filter(fault)
    if bad.height:
        record = pl.format("{} line {}", pl.lit(name), "line")
        yield Batch("rejects", bad.select(record=record, reason=pl.lit(reason)))


def prefix_of(sab: str) -> str:
    """Give the prefix that ids of a source vocabulary have in the graph.

    >>> prefix_of("MSH"), prefix_of("HPO"), prefix_of("SNOMEDCT_US")
    ('MESH', 'HP', 'SNOMEDCT_US')
    """
    return _PREFIXES.get(sab) or normalise_prefix(sab)


def number(text: str) -> int:
    """Give a whole number of at most nine digits; 0 for anything else."""
    return int(text) if text.isdecimal() and len(text) < 10 else 0


@contextmanager
def scratch() -> Iterator[Workspace]:
    """Give a DuckDB database in a temporary directory (``TMPDIR`` says where) that is gone afterwards."""
    with user_errors(Path(tempfile.gettempdir())), tempfile.TemporaryDirectory(prefix="clinragen-") as folder:
        work = Workspace(Path(folder))
        try:
            work.run(f"SET memory_limit = '{_MEMORY}'")
            work.run(f"SET threads = {_THREADS}")
            yield work
        finally:
            work.close()


def level(source: Source) -> int | None:
    """Give the highest source restriction level that option ``srl`` allows.

    Raises:
        InputError: where it is no whole number.
    """
    text = source.options.get("srl", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 3):
        raise InputError(f"option srl is {text[:20]!r}, expected 0, 1, 2, 3, 4 or 9", where=f"source {source.name}")
    return int(text)


def keeps_suppressed(source: Source) -> bool:
    """Say whether option ``suppress`` asks for suppressible rows too.

    Raises:
        InputError: where it is neither ``keep`` nor ``drop``.
    """
    text = source.options.get("suppress", "drop").strip().lower()
    if text not in ("keep", "drop"):
        raise InputError(f"option suppress is {text[:20]!r}, expected keep or drop", where=f"source {source.name}")
    return text == "keep"
