"""A small valid source of every format, for tests that every reader has to pass."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

import polars as pl
import pyoxigraph as ox

from kg.collect import Collected, Collector
from kg.readers.formats import FORMATS
from kg.readers.records import Batch, Fact, Header, Record, Reject
from kg.readers.source import Context, Source
from kg.sources import parse_source
from kg.types import Concept
from tests.kg import code_samples, hetionet_files, kgx_files, optimuskg_files, primekg_files
from tests.kg import rxnorm_files as rxnorm
from tests.kg import snomed_files as snomed
from tests.kg import test_readers_obographs as obographs
from tests.kg import test_readers_owl as owl
from tests.kg import test_readers_skos as skos
from tests.kg import test_readers_sssom as sssom
from tests.kg import umls_files as umls
from tests.kg.tiny_sources import BRIDGE, HPOA, ICD, OBO

_LABELS = """[[phenotype]]
id = "CCS:157"
name = "Acute and unspecified renal failure"
short = "acute renal failure"
ccs_name = "Acute and unspecified renal failure"
type = "acute"
icd9cm = ["584", "586", "=5696"]
icd10cm = ["N17", "I60-I63"]
"""


_CURIE = re.compile(r"[A-Z][A-Z0-9_.-]*:[^\s]+")
_SCOPES = {"exact", "narrow", "broad", "related"}


def _below(folder: str, named: dict[str, str | bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": text.encode() if isinstance(text, str) else text for name, text in named.items()}


def _written(folder: str, write: Callable[[Path], object]) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / folder
        write(root)
        return {p.relative_to(place).as_posix(): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


_RDF = {
    "ttl": ox.RdfFormat.TURTLE,
    "owl": ox.RdfFormat.RDF_XML,
    "nt": ox.RdfFormat.N_TRIPLES,
    "jsonld": ox.RdfFormat.JSON_LD,
}


def _as(turtle: str, kind: ox.RdfFormat) -> bytes:
    """Write a graph in another syntax of RDF."""
    if kind == ox.RdfFormat.TURTLE:
        return turtle.encode()
    written = ox.serialize(ox.parse(turtle, format=ox.RdfFormat.TURTLE), format=kind)
    assert written is not None
    return written


def _all() -> dict[str, dict[str, bytes]]:
    found: dict[str, dict[str, bytes]] = {
        "obo": {"hp.obo": OBO.encode()},
        "hpoa": {"phenotype.hpoa": HPOA.encode()},
        "icd10cm": {"icd10cm-tabular.xml": ICD.encode()},
        "bridge": {"bridge.ttl": BRIDGE.encode()},
        "series": {"series.csv": files("ehr").joinpath("series.csv").read_bytes()},
        "phenotypes": {"phenotypes.toml": _LABELS.encode()},
        "primekg": {"kg.csv": "\n".join([primekg_files.HEADER, *primekg_files.rows(), ""]).encode()},
        "umls": _below("META", umls.FILES),
        "rxnorm": _below("rrf", rxnorm.FILES),
        "snomed": _below("Snapshot", snomed.FILES),
        "hetionet": _written("tables", hetionet_files.write_tables)
        | {"hetionet-v1.0.json": json.dumps(hetionet_files.document()).encode()},
        "kgx": {
            name: content
            for layout in ("tsv", "jsonl", "json")
            for name, content in _written(
                layout,
                lambda folder, layout=layout: kgx_files.write(folder, layout),  # type: ignore[misc]
            ).items()
        },
        "optimuskg": _written("whole", optimuskg_files.write_whole) | _written("parts", optimuskg_files.write_parts),
    }
    found["obographs"] = {"mini.json": json.dumps(obographs.GRAPH).encode()}
    found["sssom"] = {"mini.sssom.tsv": sssom.TSV.encode()}
    for format_, turtle in (("owl", owl.TTL), ("skos", skos.TTL)):
        found[format_] = {f"mini.{suffix}": _as(turtle, kind) for suffix, kind in _RDF.items()}
    for sample in code_samples.SAMPLES:
        found.setdefault(sample.format, {})[sample.name] = sample.text.encode()
    found["loinc"] |= _below("LoincTable", {"Loinc.csv": code_samples.LOINC_FULL, "MapTo.csv": code_samples.MAP_TO})
    found["icd9cm"] |= _below(
        "v32",
        {"CMS32_DESC_LONG_DX.txt": code_samples.ICD9_LONG, "CMS32_DESC_SHORT_DX.txt": code_samples.ICD9_SHORT},
    )
    return found


SAMPLES = _all()
"""Files by format and name; those below one folder are read together, as a directory."""

BINARY = frozenset({"optimuskg"})
"""Formats whose files are no text."""


def units(format_: str) -> dict[str, dict[str, bytes]]:
    """Give what is read at once: a file by its name, or a folder with all files below it."""
    found: dict[str, dict[str, bytes]] = {}
    for name, content in SAMPLES[format_].items():
        found.setdefault(name.partition("/")[0], {})[name] = content
    return found


UNITS = [(format_, unit) for format_ in SAMPLES for unit in units(format_)]
"""Every (format, unit)."""


def write_unit(folder: Path, format_: str, unit: str) -> Path:
    """Write a unit's files, and give the path that a user would name."""
    for name, content in units(format_)[unit].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / unit


def records(format_: str, path: Path, **options: str) -> Iterator[Record]:
    """Read a source as a build does, its files looked up first; every record is checked."""
    FORMATS[format_].files(path)
    source = Source("sample", format_, path, options=options)
    for number, record in enumerate(FORMATS[format_].read(source, Context())):
        assert isinstance(record, Header) == (number == 0), "the header comes first"
        check(record)
        yield record


@cache
def phenotypes() -> tuple[Concept, ...]:
    """Every term of the Human Phenotype Ontology that the package brings, obsolete ones too."""
    source = parse_source("hpo")
    assert source is not None
    return tuple(one for one in records(source.format, source.path) if isinstance(one, Concept))


def collect(format_: str, path: Path, parts: Path) -> Collected:
    """Read a source and write what it says, as a build does."""
    parts.mkdir(exist_ok=True)
    collector = Collector("sample", 0, parts)
    for record in records(format_, path):
        collector.add(record)
    return collector.finish()


def told(collected: Collected) -> dict[str, list[tuple[object, ...]]]:
    """Give all that a source said, as rows by kind."""
    return {kind: collected.scan(kind).collect().rows() for kind in collected.parts}


def check(record: Record) -> None:
    """Fail where a record would make an unsound bundle: an id that is no CURIE, a weight that is none."""
    if isinstance(record, Concept):
        assert _CURIE.fullmatch(record.id), f"id {record.id!r}"
        assert {synonym.scope for synonym in record.synonyms} <= _SCOPES
    elif isinstance(record, Fact):
        statement = record.statement
        for end in (statement.subject, statement.object):
            assert _CURIE.fullmatch(end), f"end {end!r}"
        assert 0.0 <= record.evidence.weight <= 1.0, record.evidence.weight
    elif isinstance(record, Reject):
        assert record.record and record.reason and len(record.record) < 400 and len(record.reason) < 400, record
    elif isinstance(record, Batch):
        _check_batch(record)


def _check_batch(batch: Batch) -> None:
    ids = {"concepts": ("id",), "facts": ("subject", "object")}.get(batch.kind, ())
    for column in ids:
        bad = batch.frame.filter(~pl.col(column).str.contains(f"^{_CURIE.pattern}$"))
        assert not bad.height, f"{column} {bad[column].to_list()[:3]!r}"
    if "weight" in batch.frame.columns:
        assert batch.frame["weight"].is_between(0.0, 1.0).all()
    if batch.kind == "rejects":
        assert batch.frame.select(pl.all().str.len_chars().max() < 400).row(0) == (True, True)
