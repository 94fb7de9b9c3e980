"""Files written whole or not at all, and the hashes by which a step knows that it is already done."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ehr.errors import InputError

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]

_USER_ERRNO = {
    errno.EACCES: ("no permission", "choose another place or change its owner"),
    errno.EPERM: ("no permission", "choose another place or change its owner"),
    errno.EROFS: ("read-only file system", "choose another place"),
    errno.ENOSPC: ("no space left on the device", "free some space and run the same command again"),
    errno.EDQUOT: ("disk quota exceeded", "free some space and run the same command again"),
    errno.EFBIG: ("file would be larger than is allowed", "raise the limit and run the same command again"),
    errno.EEXIST: ("a part of the path is a file, not a directory", "choose another place"),
    errno.ENAMETOOLONG: ("the name is too long", "choose another place"),
    errno.EISDIR: ("is a directory, expected a file", "name a file"),
    errno.ELOOP: ("its symbolic links lead back to themselves", "name another file"),
    errno.EIO: ("cannot be read, the device fails", "copy it again"),
    errno.ENOTDIR: ("a part of the path is a file, not a directory", "choose another place"),
}
_NO_SPACE = re.compile(r"no space left|disk quota|file too large", re.IGNORECASE)


def as_input_error(error: OSError, path: Path | None = None) -> InputError | None:
    """Turn an operating system error that a user can mend into an `InputError`; None for any other."""
    if error.errno not in _USER_ERRNO:
        return None
    what, remedy = _USER_ERRNO[error.errno]
    return InputError(what, where=error.filename or path, remedy=remedy)


@contextmanager
def user_errors(path: Path) -> Iterator[None]:
    """Raise `InputError` for a full disk, a missing permission and the like below ``path``."""
    try:
        yield
    except OSError as error:
        mended = as_input_error(error, path)
        if mended is None:
            raise
        raise mended from error


@contextmanager
def library_errors(path: Path) -> Iterator[None]:
    """Turn what polars, pyarrow and DuckDB say of a full disk into `InputError`; they give no errno."""
    with user_errors(path):
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            if _NO_SPACE.search(str(error)):
                remedy = "free some space and run the same command again"
                raise InputError("no space left on the device", where=path, remedy=remedy) from error
            raise


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it replaces ``path``, on failure it is removed."""
    with user_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        try:
            yield temporary
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Give a temporary directory beside ``path``; on success it takes its place, on failure it is removed."""
    with user_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        old = temporary.with_suffix(".old")
        try:
            yield temporary
            if path.exists():
                path.rename(old)
            temporary.rename(path)
        finally:
            if old.exists() and not path.exists():
                old.rename(path)
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` in UTF-8, atomically.

    Raises:
        InputError: where the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, object] | list[object]) -> None:
    """Write ``value`` as indented JSON with sorted keys, atomically."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, JsonValue]:
    """Read a JSON object.

    Raises:
        InputError: where the file is missing or is not a JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("no such file", where=path) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not valid JSON ({error.__class__.__name__})", where=path) from error
    if not isinstance(value, dict):
        raise InputError(f"expected a JSON object, found {type(value).__name__}", where=path)
    return value


def sha256_file(path: Path) -> str:
    """Give the SHA-256 of a file's bytes as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: object) -> str:
    """Give a stable hash of a JSON-serialisable value: equal inputs and settings, equal fingerprint."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
