"""The catalogue of known sources (``kg/catalogue.toml``): licence, where it comes from, what a user has to fetch."""

from __future__ import annotations

import fnmatch
import importlib.util
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from kg.readers.formats import FORMATS


@dataclass(frozen=True, slots=True)
class Known:
    """A source that has a name.

    Attributes:
        licence, open: of its content, and whether it may be passed on.
        url, fetch: where it is found, and what has to be done by hand (a licence to sign, a file to unpack).
        package, pattern: the installed package that carries it, and where below its folder.
        file: else the names by which it is looked for in the user's data directory.
        recipe: whether the built-in recipe reads it.
        checked: releases met, with sha256 where known.
    """

    name: str
    format: str
    title: str
    licence: str
    open: bool = False
    url: str = ""
    fetch: str = ""
    package: str = ""
    pattern: str = ""
    file: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    recipe: bool = False
    checked: tuple[str, ...] = ()

    def find(self, data: Path | None = None) -> Path | None:
        """Give the file or directory; None where neither package nor data directory has it."""
        if self.package:
            folder = _folder(self.package)
            found = sorted(folder.glob(self.pattern)) if folder is not None else []
            if found:
                return found[-1]
        if data is not None and data.is_dir():
            for name in self.file:
                hits = sorted(p for p in data.rglob("*") if _fits(p, name))
                if hits:
                    return hits[-1]
        return None

    @property
    def how(self) -> str:
        """What to do to have it, in a sentence."""
        if self.package and not self.file:
            return f"package {self.package} carries no {self.pattern} here; install it"
        wanted = " or ".join(self.file) or FORMATS[self.format].example
        where = f" from {self.url}" if self.url else ""
        return f"{self.fetch or f'fetch {wanted}{where}'}; put it below DIR: {self.example}"

    @property
    def example(self) -> str:
        """What a user writes on the command line."""
        return f"--source {self.name}" if self.package else f"--source {self.name} --data DIR"


def _fits(path: Path, name: str) -> bool:
    """Compare a path's end with a name or pattern, with or without ``.gz`` and without regard to case."""
    wanted = name.lower()
    whole = path.as_posix().lower()
    return any(fnmatch.fnmatchcase(w, f"*/{wanted}") for w in (whole, whole.removesuffix(".gz")))


def _folder(package: str) -> Path | None:
    if package in ("ehr", "kg"):
        return Path(str(files(package)))
    # Looked up, not imported: some of these packages parse all their data when imported.
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None


@cache
def catalogue() -> dict[str, Known]:
    """Give every known source by name, those of the built-in recipe first and in its order."""
    tables = tomllib.loads(files("kg").joinpath("catalogue.toml").read_text(encoding="utf-8"))
    known = [_known(name, table) for name, table in tables.items()]
    return {one.name: one for one in sorted(known, key=lambda one: not one.recipe)}


def _known(name: str, table: Mapping[str, object]) -> Known:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}
    return Known(name=name, **values)  # type: ignore[arg-type]


def recipe() -> tuple[Known, ...]:
    """Give the sources of the built-in recipe, in order of precedence: the first that names a concept names it."""
    return tuple(one for one in catalogue().values() if one.recipe)
