"""The snapshot on disk: ``.npy`` files under ``csr/`` in the bundle's directory, memory-mapped.

The folder's name holds the bundle's hash, and its ``snapshot.json`` each file's checksum: a snapshot of an older bundle
or with a damaged file is made again, and that is said.
"""

from __future__ import annotations

import shutil
import zlib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ehr.errors import InputError
from ehr.files import atomic_directory, read_json, write_json
from ehr.progress import say
from kg.retrieve.snapshot import Snapshot, make_snapshot

if TYPE_CHECKING:
    from kg.bundle import Bundle

FORMAT = 2
"""Version of the arrays; a change makes older ones unused."""
_MANIFEST = "snapshot.json"
_NAMES = tuple(field.name for field in fields(Snapshot))


def load_snapshot(bundle: Bundle) -> Snapshot:
    """Give the snapshot of a bundle: from its files where they are sound, else made and, where possible, kept.

    Raises:
        InputError: where it has to be made and the bundle's tables are gone or damaged.
    """
    root = Path(bundle.path) / "csr"
    place = root / f"{bundle.hash[:16]}-{FORMAT}"
    if place.is_dir():
        found = _read(place)
        if found is not None:
            return found
        say(f"the graph's snapshot is damaged and is made again: {place}")
    else:
        older = _others(root, place)
        if older:
            say("the graph's snapshot is older than the bundle and is made again")
    try:
        made = make_snapshot(bundle)
    except (FileNotFoundError, pl.exceptions.PolarsError) as error:
        raise InputError(
            "the bundle's tables are gone or damaged", where=bundle.path, remedy="build it again with `kg build`"
        ) from error
    try:
        _write(made, place)
    except InputError:  # a bundle that cannot be written is used all the same
        return made
    for folder in _others(root, place):
        shutil.rmtree(folder, ignore_errors=True)
    return _read(place) or made


def _others(root: Path, place: Path) -> list[Path]:
    return [p for p in root.iterdir() if p.is_dir() and p != place and p.name[0] != "."] if root.is_dir() else []


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            value = zlib.crc32(piece, value)
    return value


def _write(made: Snapshot, place: Path) -> None:
    with atomic_directory(place) as temporary:
        for name in _NAMES:
            np.save(temporary / f"{name}.npy", getattr(made, name), allow_pickle=False)
        sums = {name: _checksum(temporary / f"{name}.npy") for name in _NAMES}
        write_json(temporary / _MANIFEST, {"format": FORMAT, "crc32": sums})


def _read(place: Path) -> Snapshot | None:
    """Map the files; None where one is missing or not as it was written."""
    try:
        sums = read_json(place / _MANIFEST).get("crc32")
        if not isinstance(sums, dict) or any(_checksum(place / f"{n}.npy") != sums.get(n) for n in _NAMES):
            return None
        return Snapshot(**{name: _mapped(place / f"{name}.npy") for name in _NAMES})
    except (OSError, ValueError, InputError):
        return None


def _mapped(path: Path) -> NDArray[Any]:
    try:  # as a plain view: picking entries of a `memmap` is many times slower
        return np.lib.format.open_memmap(path, mode="r").view(np.ndarray)
    except ValueError:  # nothing can be mapped of an empty array
        return np.asarray(np.load(path, allow_pickle=False))
