"""Tables made of a bundle and kept in its directory, as Parquet with a checksum: nothing is unpickled."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ehr.errors import InputError
from ehr.files import atomic_path
from ehr.progress import say

if TYPE_CHECKING:
    from kg.bundle import Bundle


def kept_table(bundle: Bundle, name: str, key: str, make: Callable[[], pl.DataFrame]) -> pl.DataFrame:
    """Give a table from ``index/`` in the bundle's directory, or make it and keep it there.

    A damaged file is made again, and that is said; where the place cannot be written, the table is made each time.

    Args:
        bundle: the graph.
        name: what the table holds, the beginning of its file's name.
        key: everything that it depends on besides the bundle, the format's version included.
        make: makes the table.
    """
    path = Path(bundle.path) / "index" / f"{name}-{bundle.hash[:16]}-{key}.parquet"
    if path.exists():
        found = _read(path)
        if found is not None:
            return found
        say(f"the index of {name} is damaged and is made again: {path}")
    made = make()
    try:
        with atomic_path(path) as temporary:
            made.write_parquet(temporary)
            checksum = zlib.crc32(temporary.read_bytes())
        with atomic_path(_checksum_path(path)) as temporary:
            temporary.write_text(f"{checksum}\n", encoding="ascii")
    except InputError:  # a bundle that cannot be written is used all the same
        say(f"the index of {name} cannot be kept beside the bundle and is made each time: {path.parent}")
    return made


def _checksum_path(path: Path) -> Path:
    return path.with_suffix(".crc32")


def _read(path: Path) -> pl.DataFrame | None:
    """Give a file's rows; None where it is not as it was written."""
    try:
        raw = path.read_bytes()
        if zlib.crc32(raw) != int(_checksum_path(path).read_text(encoding="ascii")):
            return None
        return pl.read_parquet(io.BytesIO(raw))
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return None
