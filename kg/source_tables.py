"""What ``kg sources`` prints: the catalogue of known sources, and the formats that can be read."""

from __future__ import annotations

import difflib
import re
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from ehr.errors import InputError
from kg.catalogue import Known, catalogue
from kg.readers.formats import FORMATS

Row = dict[str, object]

_OWN = ("ehr", "kg")
_HASH = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")


def list_sources(data: Path | None = None) -> list[Row]:
    """List the known sources, those of the built-in recipe first.

    Args:
        data: directory where sources that no package carries are looked for.

    Raises:
        InputError: where that is no directory.
    """
    _check(data)
    return [_row(known, data) for known in catalogue().values()]


def describe_source(name: str, data: Path | None = None) -> list[Row]:
    """Tell all of one source, a row a field.

    Raises:
        InputError: for an unknown name; says which is near.
    """
    _check(data)
    if name not in catalogue():
        names = list(catalogue())
        near = difflib.get_close_matches(name, names, 1)
        remedy = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(names)}"
        if name in FORMATS:
            remedy = f"{name} is a format, which `kg sources --formats` lists"
        raise InputError(f"no known source {name!r}", remedy=remedy)
    known, row = catalogue()[name], _row(catalogue()[name], data)
    format_ = FORMATS[known.format]
    told: dict[str, object] = {
        "name": name,
        "title": known.title,
        "in the built-in recipe": "yes" if known.recipe else "no",
        "format": f"{known.format}: {format_.title}",
        "specification": format_.specification,
        "licence": known.licence,
        "may be passed on": row["open"],
        "address": known.url,
        "what to fetch": known.how if row["here"] == "" else "",
        "looked for": ", ".join(known.file) or f"{known.pattern} in package {known.package}",
        "here": row["here"],
        "options set": ", ".join(f"{key}={value}" for key, value in known.options.items()),
        "options": "; ".join(f"{key}: {what}" for key, what in format_.options.items()),
        "releases met": "; ".join(known.checked),
        "format met": format_.met,
        "example": f"kg build {known.example}",
    }
    return [{"field": field, "value": value} for field, value in told.items() if value != ""]


def list_formats() -> list[Row]:
    """List the formats with specification, options, an example and what each was tried on."""
    return [
        {
            "name": one.name,
            "title": one.title,
            "options": "; ".join(f"{key}: {what}" for key, what in one.options.items()),
            "example": f"kg build --source {_quoted(one.example)}",
            "specification": one.specification,
            "met": one.met,
        }
        for one in FORMATS.values()
    ]


def _quoted(example: str) -> str:
    return example if "'" in example else f"'{example}'"


def _check(data: Path | None) -> None:
    if data is not None and not data.is_dir():
        raise InputError("no such directory", where=data)


def _row(known: Known, data: Path | None) -> Row:
    return {
        "name": known.name,
        "format": known.format,
        "licence": known.licence,
        "open": "yes" if known.open else "no",
        "from": _origin(known),
        "here": _here(known, data),
        "checked": _HASH.sub(r"\1…", "; ".join(known.checked)),
        "example": known.example,
    }


def _origin(known: Known) -> str:
    if known.package:
        return "" if known.package in _OWN else f"package {known.package}"
    return known.fetch or known.url


def _here(known: Known, data: Path | None) -> str:
    """Give the package with its version, or the path; empty where it is not here."""
    path = known.find(data)
    if path is None:
        return ""
    if known.package in _OWN:
        return "part of this package"
    if data is not None and path.is_relative_to(data):
        return str(path)
    for distribution in packages_distributions().get(known.package, ()):
        try:
            return f"{distribution} {version(distribution)}"
        except PackageNotFoundError:
            continue
    return str(path)
