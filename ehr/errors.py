"""One hierarchy of errors for every room; the command line turns each into one line and an exit code."""

from __future__ import annotations

from pathlib import Path


class ClinRaGenError(Exception):
    """Root of all errors that the project raises on purpose; the command line exits with 1."""

    exit_code = 1


class InputError(ClinRaGenError):
    """A bad input: says where, what was found or expected, and what to do; the command line exits with 2."""

    exit_code = 2

    def __init__(self, message: str, *, where: Path | str | None = None, remedy: str | None = None) -> None:
        """Build the one line ``where: message; remedy``.

        Args:
            message: what was expected and what stands there, without patient text.
            where: file, optionally with line or record (``"labevents.csv.gz line 7"``).
            remedy: what the user can do.
        """
        parts = f"{where}: {message}" if where is not None else message
        text = f"{parts}; {remedy}" if remedy else parts
        # Names of files and what stands in them may be anything, also line ends and commands of a terminal.
        super().__init__("".join(c if c.isprintable() else "?" for c in text.replace("\n", " ")))


class StoreError(ClinRaGenError):
    """A graph store could not do what was asked; not the user's input."""
