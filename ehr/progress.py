"""Progress bars and messages on standard error, silenced as a whole by ``--quiet``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

T = TypeVar("T")

console = Console(stderr=True, highlight=False)


def set_quiet(quiet: bool) -> None:
    """Silence (or not) every message and progress bar."""
    console.quiet = quiet


def say(message: str) -> None:
    """Print one line for the person who runs the command; never patient text."""
    console.print(message, markup=False, soft_wrap=True)  # a path or a query to paste is never cut into lines


class Advance:
    """Handle of a running progress bar."""

    def __init__(self, progress: Progress, task: int) -> None:
        self._progress, self._task = progress, task

    def __call__(self, steps: int = 1, *, note: str | None = None) -> None:
        """Advance by ``steps`` and optionally show a note such as the current loss."""
        if note is not None:
            self._progress.update(self._task, note=note)  # type: ignore[arg-type]
        self._progress.advance(self._task, steps)  # type: ignore[arg-type]


@contextmanager
def bar(description: str, total: int | None = None, *, done: int = 0) -> Iterator[Advance]:
    """Show a progress bar while the block runs; yields the function that advances it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        task = progress.add_task(description, total=total, completed=done, note="")
        yield Advance(progress, int(task))


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Iterate over ``items`` under a progress bar."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with bar(description, total) as advance:
        for item in items:
            yield item
            advance()
