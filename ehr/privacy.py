"""What a cohort says about the terms under which its patients' data were given, and who may be sent them."""

from __future__ import annotations

from pathlib import Path

from ehr.cohort import Cohort
from ehr.files import JsonValue, write_text

MAY_LEAVE = "may_leave_this_machine"
"""Key of the manifest: whether a later step may send the cohort to another machine without the user's word."""

README = "README.md"


def data_use(directory: Path) -> dict[str, JsonValue]:
    """Give what the manifest says of the data use terms of a hospital's directory.

    Only data that say that they are simulated may leave the machine: an open licence does not make a text fit to send.
    """
    licence = next((p for p in (directory / "LICENSE.txt", directory / "LICENSE") if p.is_file()), None)
    lines = licence.read_text(encoding="utf-8", errors="replace").splitlines() if licence else []
    first = next((text for line in lines if (text := line.strip(" \t#"))), None)
    terms = f"LICENSE.txt of the source: {first}" if first else "the terms under which the source was given"
    simulated = (directory / "truth" / "simulation.json").is_file()
    return {
        "data_use": f"{terms}; this cohort and everything made from it falls under the same terms",
        "simulated": simulated,
        MAY_LEAVE: simulated,
    }


def may_leave(cohort: Cohort) -> bool:
    """Say whether a cohort may be sent to another machine; one that does not say so may not."""
    return cohort.manifest.get(MAY_LEAVE) is True


def protect(cohort: Cohort, terms: dict[str, JsonValue]) -> None:
    """Write the cohort's README: what it is, under which terms it came, and that they still hold."""
    allowed = (
        "may be sent to other machines: its patients are simulated."
        if terms[MAY_LEAVE]
        else (
            "may not be sent to any other machine. Steps that would send it (`distill teach --teacher openai` with an "
            "endpoint elsewhere) refuse, unless you say that you have permission."
        )
    )
    text = f"""# A cohort of patients

This directory was made by `clinragen ehr ingest`. It holds data of patients: only its owner can read it (mode 0700).

**Data use terms it came under**: {terms["data_use"]}.

It {allowed} `{MAY_LEAVE}` in `manifest.json` says so to programs.

Do not copy it, or anything that a later step adds to it, to a place that those terms do not allow.
"""
    write_text(cohort.path / README, text)
