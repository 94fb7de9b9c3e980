"""Rows of RRF files, made here after the specification; names and ids are invented."""

from __future__ import annotations

from pathlib import Path

_LAYOUTS = {
    "MRCONSO.RRF": "CUI LAT TS LUI STT SUI ISPREF AUI SAUI SCUI SDUI SAB TTY CODE STR SRL SUPPRESS CVF",
    "MRREL.RRF": "CUI1 AUI1 STYPE1 REL CUI2 AUI2 STYPE2 RELA RUI SRUI SAB SL RG DIR SUPPRESS CVF",
    "MRSTY.RRF": "CUI TUI STN STY ATUI CVF",
    "MRDEF.RRF": "CUI AUI ATUI SATUI SAB DEF SUPPRESS CVF",
    "MRSAB.RRF": "VCUI RCUI VSAB RSAB SON SF SVER VSTART VEND IMETA RMETA SLC SCC SRL TFR CFR CXTY TTYL ATNL LAT CENC "
    "CURVER SABIN SSN SCIT",
    "MRRANK.RRF": "RANK SAB TTY SUPPRESS",
    "MRDOC.RRF": "DOCKEY VALUE TYPE EXPL",
    "MRCUI.RRF": "CUI1 VER REL RELA MAPREASON CUI2 MAPIN",
    "MERGEDCUI.RRF": "CUI1 CUI2",
}
_LAYOUTS |= {
    name.replace("MR", "RXN"): _LAYOUTS[name] for name in ("MRCONSO.RRF", "MRREL.RRF", "MRSTY.RRF", "MRSAB.RRF")
}
_LAYOUTS |= {
    "RXNSAT.RRF": "CUI LUI SUI AUI STYPE CODE ATUI SATUI ATN SAB ATV SUPPRESS CVF",
    "RXNCUI.RRF": "CUI1 VER_START VER_END CARDINALITY CUI2",
}

_DEFAULTS = {"LAT": "ENG", "TS": "P", "STT": "PF", "ISPREF": "Y", "SRL": "0", "SUPPRESS": "N", "CURVER": "Y"}


def rrf(file: str, **values: str) -> str:
    """One line of a file; columns that are not given take a usual value."""
    columns = _LAYOUTS[file].split()
    assert set(values) <= set(columns), set(values) - set(columns)
    usual = {name: _DEFAULTS.get(name, "") for name in columns}
    return "|".join({**usual, **values}.values()) + "|\n"


def atom(cui: str, text: str, sab: str = "SNOMEDCT_US", tty: str = "PT", code: str = "", **values: str) -> str:
    """A line of MRCONSO."""
    return rrf("MRCONSO.RRF", CUI=cui, STR=text, SAB=sab, TTY=tty, CODE=code or "NOCODE", **values)


def relation(second: str, rela: str, first: str, sab: str = "SNOMEDCT_US", rel: str = "RO", **values: str) -> str:
    """A line of MRREL that says ``second rela first``."""
    return rrf("MRREL.RRF", CUI1=first, CUI2=second, REL=rel, RELA=rela, SAB=sab, **values)


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Write the files into a directory."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
