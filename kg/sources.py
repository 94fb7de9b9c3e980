"""How a user names what to read: a known name, ``FORMAT:PATH?option=value``, or a whole recipe in ``kg.toml``.

``hpo`` names a source of the catalogue; ``obo:doid.obo.gz?prefix=DOID&category=Disease`` any file in a known format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl

from ehr.errors import InputError
from ehr.files import user_errors
from kg.catalogue import Known, catalogue, recipe
from kg.readers.curies import normalise_prefix
from kg.readers.formats import FORMATS
from kg.readers.packing import is_directory, printable
from kg.readers.source import Source
from kg.vocabulary import Category

_OPTIONS = ("prefix", "category", "name", "licence", "open")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a build will read, in order of precedence, and the known sources that are not there (name, what to do)."""

    sources: tuple[Source, ...]
    skipped: tuple[tuple[str, str], ...]


def plan(names: Sequence[str] | None, *, strict: bool, data: Path | None = None) -> Plan:
    """Resolve what the user asked for; None is the built-in recipe.

    Args:
        names: known names and ``FORMAT:PATH?…``.
        strict: a known source that is not there is an error.
        data: directory where known sources that no package carries are looked for.

    Raises:
        InputError: see `parse_source`; for two sources of one name; with ``strict`` for a known source that is not
            there; where nothing is left to read.
    """
    found: list[Source] = []
    skipped: list[tuple[str, str]] = []
    for text in [one.name for one in recipe()] if names is None else names:
        source = parse_source(text, data=data)
        if source is not None:
            found.append(source)
            continue
        name = text.partition("?")[0]
        how = catalogue()[name].how
        if strict:
            raise InputError(f"is not there: {how}", where=f"source {name}", remedy="or build without --strict")
        skipped.append((name, how))
    doubled = {source.name for source in found if sum(other.name == source.name for other in found) > 1}
    if doubled:
        raise InputError(f"two sources are named {min(doubled)!r}", remedy="give one another name with ?name=…")
    if not found:
        why = f": {skipped[0][0]}: {skipped[0][1]}" if skipped else ""
        raise InputError(f"no source to build from{why}", remedy="name at least one source that is there")
    return Plan(tuple(found), tuple(skipped))


def parse_source(text: str, *, data: Path | None = None) -> Source | None:
    """Turn what a user wrote into a source; None for a known source that is not there.

    Raises:
        InputError: for an unknown name, format, option or category, or a missing file.
    """
    name, mark, query = text.partition("?")
    if name in catalogue():
        known = catalogue()[name]
        path = known.find(data)
        return None if path is None else _source(text, known.format, path, _parse_options(text, query), known)
    format_, colon, rest = text.partition(":")
    if not colon:
        raise InputError(
            f"unknown source {text!r}",
            remedy="`kg sources` lists the known ones; any file is FORMAT:PATH, such as obo:doid.obo",
        )
    if format_ not in FORMATS:
        raise InputError(f"unknown format {format_!r} in {text!r}", remedy=f"expected one of {', '.join(FORMATS)}")
    with user_errors(Path(rest[:100])):
        location, mark, query = rest.rpartition("?") if "?" in rest and not Path(rest).exists() else (rest, "", "")
    path = Path(location if mark else rest)
    try:
        path = path.expanduser()
    except RuntimeError as error:  # ~nobody
        raise InputError("no such user", where=path) from error
    is_directory(path)  # refuses what is neither that nor a file
    return _source(text, format_, path, _parse_options(text, query), None)


def _source(text: str, format_: str, path: Path, options: Mapping[str, str], known: Known | None) -> Source:
    kind = FORMATS[format_]
    options = {**(known.options if known is not None else {}), **options}
    for key in options:
        if key not in _OPTIONS and key not in kind.options:
            expected = ", ".join((*_OPTIONS, *kind.options))
            raise InputError(f"unknown option {key!r} in {text!r}", remedy=f"expected {expected}")
    kind.files(path)  # says now, not in the middle of a build, where a file is missing
    source = Source(
        name=printable(options.get("name") or (known.name if known is not None else path.name.split(".", 1)[0])),
        format=format_,
        path=path,
        licence=options.get("licence") or (known.licence if known is not None else ""),
        prefixes=frozenset(normalise_prefix(p) for p in options.get("prefix", "").split(",") if p),
        category=_category(options["category"]) if options.get("category") else None,
        options=options,
    )
    return replace(
        source,
        open=source.flag("open", default=known.open if known is not None else False),
        options={key: value for key, value in options.items() if key in kind.options},
    )


def _parse_options(text: str, query: str) -> dict[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    if query and not pairs:
        raise InputError(f"option {query!r} in {text!r} has no value", remedy="expected ?name=value&name=value")
    return dict(pairs)


def _category(name: str) -> Category:
    for category in Category:
        if name.lower() in (category.label.lower(), category.value.lower()):
            return category
    labels = ", ".join(category.label for category in Category)
    raise InputError(f"unknown category {name!r}", remedy=f"expected one of {labels}")
