"""What a user names to be read, and what a format is: the two values between the catalogue and the readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ehr.errors import InputError
from kg.readers.lines import Entry, entries, single
from kg.readers.packing import printable
from kg.readers.records import Records
from kg.vocabulary import Category


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to read.

    Attributes:
        name: what concepts and evidence call it; one name, one source.
        format: name of its `Format`.
        path: a file, a zip archive or, for formats of several files, their directory.
        licence: of its content, where the catalogue or the user knows it; else what the file says of itself.
        open: whether the licence allows to pass the content on.
        prefixes: where given, only ids with these prefixes become concepts: an ontology's own, not its imports.
        category: of all its concepts; by default each id's prefix tells.
        options: what else the format takes (see `Format.options`), as the user wrote it.
    """

    name: str
    format: str
    path: Path
    licence: str = ""
    open: bool = False
    prefixes: frozenset[str] = frozenset()
    category: Category | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, object]:
        """Give what decides the records beside the files' bytes and the reader's code."""
        return {
            "name": self.name,
            "format": self.format,
            "file": printable(self.path.name),
            "prefixes": sorted(self.prefixes),
            "category": self.category.value if self.category else None,
            "options": dict(sorted(self.options.items())),
        }

    def list_option(self, name: str) -> frozenset[str]:
        """Give an option that holds several values with commas between them; empty where it is not given."""
        return frozenset(part.strip() for part in self.options.get(name, "").split(",") if part.strip())

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Give an option that is ``true`` or ``false``.

        Raises:
            InputError: for anything else.
        """
        text = self.options.get(name, "").strip().lower()
        if text in ("", "true", "yes", "1", "false", "no", "0"):
            return default if text == "" else text in ("true", "yes", "1")
        raise InputError(f"option {name} is {text[:20]!r}, expected true or false", where=f"source {self.name}")


@dataclass(frozen=True, slots=True)
class Context:
    """What earlier sources of the same build have said; ``children``: the ICD-10-CM codes below each code."""

    children: Mapping[str, Sequence[str]] = field(default_factory=dict)


def _one_file(path: Path) -> list[Entry]:
    return [single(path)]


@dataclass(frozen=True, slots=True)
class Format:
    """A format that can be read.

    Attributes:
        name: as in ``NAME:PATH``.
        read: the reader; its first record is a `kg.readers.records.Header`.
        title: what it is, in a line.
        specification: name and address of the document that the columns are taken from.
        example: what a user writes.
        met: what it has been tried on: a real release (which), or only a sample made after the specification.
        options: names it takes beyond ``prefix``, ``category``, ``name`` and ``licence``, each with its meaning.
        files: gives the files that it reads of a path, for their hash; raises `InputError` where one is missing.
        derived: it needs what other sources said, and is read last.
    """

    name: str
    read: Callable[[Source, Context], Records]
    title: str
    specification: str
    example: str
    met: str
    options: Mapping[str, str] = field(default_factory=dict)
    files: Callable[[Path], list[Entry]] = _one_file
    derived: bool = False


def all_files(path: Path) -> list[Entry]:
    """Give every file of a directory or archive; for `Format.files`."""
    return entries(path)
