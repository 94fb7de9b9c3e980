"""Who may pass what on: the sources of a bundle with their terms, and ``LICENCES.txt``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kg.catalogue import catalogue

LICENCES = "LICENCES.txt"


@dataclass(frozen=True, slots=True)
class Terms:
    """One source of a bundle.

    Attributes:
        licence: of its content; empty where nobody said.
        open: whether it may be passed on.
        sha256: of the file that was read.
        url: where it is found, for a source of the catalogue.
        format: that it was read in.
    """

    name: str
    version: str
    licence: str
    open: bool
    sha256: str
    url: str
    format: str


def terms_of(manifest: Mapping[str, object]) -> tuple[Terms, ...]:
    """Give the sources that a bundle was made of, by name."""
    entries = manifest.get("sources")
    found = [
        _terms(one)
        for one in (entries if isinstance(entries, list) else [])
        if isinstance(one, Mapping) and one.get("status", "loaded") == "loaded"
    ]
    return tuple(sorted(found, key=lambda one: one.name))


def _terms(entry: Mapping[str, object]) -> Terms:
    name, format_ = str(entry.get("name", "")), str(entry.get("format") or "")
    known = catalogue().get(name)
    # A user may give a file of their own the name of a source of the catalogue; the format tells.
    url = known.url if known is not None and format_ in ("", known.format) else ""
    return Terms(
        name=name,
        version=str(entry.get("version") or ""),
        licence=str(entry.get("licence") or ""),
        open=entry.get("open") is True,
        sha256=str(entry.get("sha256") or ""),
        url=url,
        format=format_,
    )


def licences_text(terms: tuple[Terms, ...], *, left_out: tuple[Terms, ...] = ()) -> str:
    """Give the text of ``LICENCES.txt``.

    Args:
        terms: of the sources that the export holds content of.
        left_out: of the sources whose content was left out.
    """
    closed = [one for one in terms if not one.open]
    lines = ["Sources of this graph and their terms", ""]
    if closed:
        lines += [
            "NOT TO BE PASSED ON AS IT IS. These sources do not let everyone pass their content on, or nobody has said",
            f"that they do: {', '.join(one.name for one in closed)}.",
            "An export with `--licence open` leaves their content out.",
            "",
        ]
    for one in terms:
        lines += _entry(one)
    if left_out:
        lines += [
            "Left out, since their terms do not let everyone pass them on; only ids of theirs may stand here:",
            "",
        ]
        for one in left_out:
            lines += _entry(one)
    return "\n".join(lines)


def _entry(one: Terms) -> list[str]:
    return [
        one.name,
        f"  version   {one.version or 'not stated'}",
        f"  licence   {' '.join(one.licence.split()) or 'not stated'}",
        f"  may be passed on   {'yes' if one.open else 'no'}",
        f"  sha256    {one.sha256 or 'not stated'}",
        f"  url       {one.url or 'not stated'}",
        "",
    ]
