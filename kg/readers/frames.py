"""Large tables as polars frames with the number of each row's line; for what is filtered and joined at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import polars as pl

from ehr.errors import InputError
from kg.readers.columnar import Layout, read_chunks
from kg.readers.lines import Entry
from kg.readers.records import Reject

_HOPELESS = 1000
"""So many rows that cannot be read, and none that can: this is another file than it should be."""


def read_frames(source: Path | Entry, layout: Layout) -> Iterator[pl.DataFrame | Reject]:
    """Yield frames with a column ``line`` and those that are wanted (texts, as written), and rejects.

    Every frame has at least one row.

    Raises:
        InputError: see `kg.readers.columnar.read_chunks`; where a table without a header line holds not one row that
            can be read though it is not empty.
    """
    rejects: list[Reject] = []
    good = not layout.columns
    for one in read_chunks(source, layout):
        if isinstance(one, Reject):
            if good:
                yield one
                continue
            rejects.append(one)  # held back until it is known that this is the right kind of file
            if len(rejects) >= _HOPELESS:
                break
            continue
        if not good:
            yield from rejects
            good, rejects = True, []
        frame = cast(pl.DataFrame, pl.from_arrow(one.table))
        yield frame.select(pl.Series("line", one.lines, dtype=pl.Int64), pl.all())
    if rejects:
        raise InputError(
            f"no row that can be read; {rejects[0].record}: {rejects[0].reason}",
            where=str(source),
            remedy=f"is this {layout.what}?",
        )
