"""The label set: which ICD codes mean which phenotype.

Source of the groups: AHRQ Clinical Classifications Software, single level, and the 25 groups that the MIMIC-III
benchmark (Harutyunyan et al. 2019) and the ClinRaGen paper use. The codes stand in ``phenotypes.toml`` as ranges;
membership needs no other table.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO

from ehr.errors import InputError

_LARGEST = 32 << 20
_CURIE = re.compile(r"[A-Za-z][\w.-]*:[\w./-]+")
ICD_VERSIONS = (9, 10)
"""Versions of ICD-CM that a diagnosis code may belong to."""


def normalise_code(code: str) -> str:
    """Give an ICD code without point and blanks, in upper case.

    >>> normalise_code(" n17.9 ")
    'N179'
    """
    return "".join(code.split()).replace(".", "").upper()


def icd_version(version: int | str) -> int:
    """Give the ICD version as 9 or 10.

    Raises:
        InputError: for any other version; a code read in the wrong version means another disease.
    """
    text = str(version).strip()
    if text not in {str(known) for known in ICD_VERSIONS}:
        raise InputError(f"unknown ICD version {text!r}", remedy="expected 9 (ICD-9-CM) or 10 (ICD-10-CM)")
    return int(text)


@dataclass(frozen=True, slots=True)
class CodeRange:
    """A range of normalised ICD codes.

    A code belongs to it where its first ``len(low)`` characters lie between ``low`` and ``high`` (both included, both
    of one length); an ``exact`` range takes the code ``low`` alone.
    """

    low: str
    high: str
    exact: bool = False

    @classmethod
    def parse(cls, text: str) -> CodeRange:
        """Read ``"584"``, ``"4270-4273"`` or ``"=5696"``.

        Raises:
            InputError: where the ends differ in length, stand in the wrong order or are no normalised codes.
        """
        exact = text.startswith("=")
        low, dash, high = text.removeprefix("=").partition("-")
        high = high if dash else low
        sound = low.isalnum() and high.isalnum() and len(low) == len(high) and low <= high and not (exact and dash)
        if not sound or low != normalise_code(low) or high != normalise_code(high):
            raise InputError(f"{text!r} is no range of ICD codes", remedy='expected "584", "4270-4273" or "=5696"')
        return cls(low, high, exact)

    def __contains__(self, code: str) -> bool:
        """Say whether a normalised code belongs to the range."""
        if self.exact:
            return code == self.low
        size = len(self.low)
        return len(code) >= size and self.low <= code[:size] <= self.high

    def __str__(self) -> str:
        if self.exact:
            return f"={self.low}"
        return self.low if self.low == self.high else f"{self.low}-{self.high}"


@dataclass(frozen=True, slots=True)
class Phenotype:
    """One label.

    Attributes:
        id: CCS group as a CURIE (``CCS:157``), also the concept's id in the graph; any CURIE in a user's own label set.
        name, short: name as the paper writes it, and a short one for plots.
        ccs_name: name as AHRQ writes it.
        type: ``acute`` or ``chronic``.
        icd9cm, icd10cm: its codes.
    """

    id: str
    name: str
    short: str
    ccs_name: str
    type: str
    icd9cm: tuple[CodeRange, ...]
    icd10cm: tuple[CodeRange, ...]

    def ranges(self, version: int | str) -> tuple[CodeRange, ...]:
        """Give the ranges of ICD-9-CM or ICD-10-CM."""
        return self.icd9cm if icd_version(version) == 9 else self.icd10cm


class _RangeIndex:
    """Finds the phenotypes of a code: beginnings by look-up, ranges by bisection, one sorted list a code length."""

    def __init__(self, phenotypes: tuple[Phenotype, ...], version: int) -> None:
        self._exact: dict[str, list[int]] = {}
        self._heads: dict[int, dict[str, list[int]]] = {}
        by_length: dict[int, list[tuple[str, str, int]]] = {}
        for position, phenotype in enumerate(phenotypes):
            for item in phenotype.ranges(version):
                if item.exact:
                    self._exact.setdefault(item.low, []).append(position)
                elif item.low == item.high:
                    self._heads.setdefault(len(item.low), {}).setdefault(item.low, []).append(position)
                else:
                    by_length.setdefault(len(item.low), []).append((item.low, item.high, position))
        self._by_length = {length: sorted(items) for length, items in sorted(by_length.items())}

    def find(self, code: str) -> list[int]:
        """Give the positions of the phenotypes, ascending."""
        found = set(self._exact.get(code, ()))
        for length, heads in self._heads.items():
            found.update(heads.get(code[:length], ()))
        for length, items in self._by_length.items():
            head = code[:length]
            if len(head) == length:
                end = bisect_right(items, (head, "\uffff", len(items)))
                # Ranges of two phenotypes of a user's own label set may overlap, hence no stop at the first.
                found.update(position for _, high, position in items[:end] if head <= high)
        return sorted(found)


@dataclass(frozen=True)
class LabelSet:
    """An ordered set of phenotypes; iteration, ``ids``, ``names`` and every label vector have this order."""

    phenotypes: tuple[Phenotype, ...]
    _positions: Mapping[str, int] = field(init=False, repr=False, compare=False)
    _indexes: Mapping[int, _RangeIndex] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_positions", {p.id: i for i, p in enumerate(self.phenotypes)})
        object.__setattr__(self, "_indexes", {v: _RangeIndex(self.phenotypes, v) for v in ICD_VERSIONS})
        if len(self._positions) != len(self.phenotypes):
            raise InputError("a phenotype's id stands twice in the label set")

    @property
    def ids(self) -> tuple[str, ...]:
        """Phenotype ids (``CCS:157`` …)."""
        return tuple(phenotype.id for phenotype in self.phenotypes)

    @property
    def names(self) -> tuple[str, ...]:
        """Full names, in the order of ``ids``."""
        return tuple(phenotype.name for phenotype in self.phenotypes)

    @property
    def short_names(self) -> tuple[str, ...]:
        """Short names, in the order of ``ids``."""
        return tuple(phenotype.short for phenotype in self.phenotypes)

    def phenotypes_of(self, code: str, version: int | str) -> tuple[str, ...]:
        """Give the ids of the phenotypes that an ICD-CM diagnosis code belongs to.

        Args:
            code: with or without point, blanks around it do no harm.
            version: 9 or 10.

        Returns:
            Ids in the label set's order; empty for a code outside all of them.

        Raises:
            InputError: for an unknown ICD version.
        """
        found = self._indexes[icd_version(version)].find(normalise_code(code))
        return tuple(self.phenotypes[position].id for position in found)

    def index(self, phenotype: str) -> int:
        """Give a phenotype's position among ``ids``; KeyError for a foreign id."""
        return self._positions[phenotype]

    def __getitem__(self, phenotype: str) -> Phenotype:
        return self.phenotypes[self._positions[phenotype]]

    def __contains__(self, phenotype: object) -> bool:
        return phenotype in self._positions

    def __iter__(self) -> Iterator[Phenotype]:
        return iter(self.phenotypes)

    def __len__(self) -> int:
        return len(self.phenotypes)


def _read_phenotype(record: Mapping[str, object], number: int, where: str) -> Phenotype:
    place = f"{where} phenotype {number}"
    texts: dict[str, str] = {}
    for key in ("id", "name", "short", "ccs_name", "type"):
        value = record.get(key)
        if not isinstance(value, str) or not value:
            raise InputError(f"{key!r} is missing or no text", where=place)
        texts[key] = value
    if not _CURIE.fullmatch(texts["id"]):
        raise InputError(f"id {texts['id']!r} is no CURIE", where=place, remedy='expected such as "CCS:157"')
    ranges: dict[str, tuple[CodeRange, ...]] = {}
    for key in ("icd9cm", "icd10cm"):
        items = record.get(key)
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise InputError(f"{key!r} is missing or no list of texts", where=place)
        ranges[key] = tuple(CodeRange.parse(item) for item in items)
    return Phenotype(**texts, icd9cm=ranges["icd9cm"], icd10cm=ranges["icd10cm"])


def load_phenotypes(path: Path | None = None) -> LabelSet:
    """Read the label set, by default the 25 phenotypes that the package carries.

    Args:
        path: another file of the same form.

    Raises:
        InputError: where the file is missing, is no TOML, or a record is not well formed.
    """
    return _built_in() if path is None else _load(path)


@lru_cache(maxsize=1)
def _built_in() -> LabelSet:
    return _load(files("ehr") / "phenotypes.toml")


def _load(source: Path | Traversable) -> LabelSet:
    try:
        with source.open("rb") as file:
            return parse_phenotypes(file, str(source))
    except FileNotFoundError as error:
        raise InputError("no such file", where=str(source)) from error


def parse_phenotypes(file: IO[bytes], source: str) -> LabelSet:
    """Read a label set from an open file.

    Args:
        file: its bytes.
        source: its name, for errors.

    Raises:
        InputError: see `load_phenotypes`.
    """
    raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise InputError(f"larger than {_LARGEST >> 20} MiB", where=source, remedy="is this a label set?")
    content = read_toml(raw, source)
    records = content.get("phenotype")
    if not isinstance(records, list) or not records:
        raise InputError("no [[phenotype]] in it", where=source)
    return LabelSet(tuple(_read_phenotype(record, i, source) for i, record in enumerate(records, start=1)))


def read_toml(raw: bytes, source: str) -> dict[str, object]:
    """Parse TOML; ``source`` is its name for errors.

    Raises:
        InputError: where it is none.
    """
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"not valid TOML ({error})", where=source) from error
