"""LOINC's table and the annotations of its codes with HPO terms."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from ehr.errors import InputError
from kg.readers.loinc import LICENCE, read_loinc
from kg.readers.loinc2hpo import read_loinc2hpo
from kg.readers.records import REPLACED_BY, Fact, Header, Mapping, Record, Reject
from kg.sources import parse_source
from kg.types import Synonym
from kg.vocabulary import Category, Predicate
from tests.kg.code_samples import LOINC2HPO, LOINC2HPO_OLD, LOINC_CORE, LOINC_FULL, MAP_TO
from tests.kg.reader_records import concepts, rejects

HPO = Path(__file__).parents[2].parent / "shared" / "data" / "hpo"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_core_table(tmp_path: Path) -> None:
    records = list(read_loinc(write(tmp_path, "LoincTableCore.csv", LOINC_CORE), "loinc"))
    assert records[0] == Header("", LICENCE)
    found = concepts(records)
    creatinine = found["LOINC:2160-0"]
    assert creatinine.name == "Creatinine [Mass/volume] in Serum or Plasma"
    assert creatinine.synonyms == (Synonym("Creat SerPl-mCnc", "exact", "abbreviation"),)
    assert creatinine.definition == ("Component Creatinine; property MCnc; time Pt; system Ser/Plas; scale Qn.")
    assert creatinine.category is Category.MEASUREMENT
    assert found["LOINC:8867-4"].synonyms == (), "the short name is the name"
    old = found["LOINC:1009-0"]
    assert (old.deprecated, old.replaced_by) == (True, None)
    assert old.definition.endswith("Copyright notice: Copyright Somebody.")
    trial = found["LOINC:1000-9"]
    assert (trial.name, trial.deprecated) == ("Trial of a test", False)
    assert trial.definition.startswith('Component Old "test"; ') and trial.definition.endswith(" Status trial.")
    assert not rejects(records)


def test_the_whole_table_has_more_names(tmp_path: Path) -> None:
    path = write(tmp_path, "Loinc.csv", LOINC_FULL)
    found = concepts(list(read_loinc(path, "loinc")))
    assert found["LOINC:718-7"].synonyms == (
        Synonym("Hgb Bld-mCnc", "exact", "abbreviation"),
        Synonym("Hemoglobin (Bld) [Mass/Vol]", "exact", "label"),
        Synonym("Hemoglobin, Blood", "related", "layperson"),
        Synonym("Hgb", "related", "related_name"),
        Synonym("Hb", "related", "related_name"),
    )
    assert found["LOINC:718-7"].definition.startswith("Mass of hemoglobin in blood. Component Hemoglobin;")
    claim = found["LOINC:52797-8"]
    assert (claim.category, claim.deprecated) == (Category.OTHER, False)
    assert claim.definition.endswith("Status discouraged: Use another one.")
    fewer = concepts(list(read_loinc(path, "loinc", related=False)))
    assert len(fewer["LOINC:718-7"].synonyms) == 3


def test_successors_come_from_the_release(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "Loinc_2.81.zip", "w") as archive:
        archive.writestr("LoincTableCore/LoincTableCore.csv", LOINC_CORE)
        archive.writestr("LoincTableCore/MapTo.csv", MAP_TO + "?,1-8,\n")
        archive.writestr("AccessoryFiles/PartFile/Part.csv", "x")
    records = list(read_loinc(tmp_path / "Loinc_2.81.zip", "loinc"))
    assert records[0] == Header("2.81", LICENCE)
    assert concepts(records)["LOINC:1009-0"].replaced_by == "LOINC:1007-4"
    assert [r for r in records if isinstance(r, Mapping)] == [
        Mapping("LOINC:1009-0", REPLACED_BY, "LOINC:1007-4"),
        Mapping("LOINC:1000-9", "skos:relatedMatch", "LOINC:1007-4"),
        Mapping("LOINC:1000-9", "skos:relatedMatch", "LOINC:1008-2"),
    ]
    assert [r.record for r in rejects(records)] == ["MapTo.csv line 5"]


def test_the_whole_table_of_a_release_goes_before_the_core(tmp_path: Path) -> None:
    write(tmp_path, "Loinc_2.81/LoincTable/Loinc.csv", LOINC_FULL)
    write(tmp_path, "Loinc_2.81/LoincTableCore/LoincTableCore.csv", LOINC_CORE)
    assert set(concepts(list(read_loinc(tmp_path / "Loinc_2.81", "loinc")))) == {"LOINC:718-7", "LOINC:52797-8"}
    with pytest.raises(InputError, match=r"holds no LoincTable/Loinc\.csv, found .*expected the table of a LOINC"):
        (tmp_path / "empty").mkdir()
        list(read_loinc(tmp_path / "empty", "loinc"))


def test_only_some_classes(tmp_path: Path) -> None:
    path = write(tmp_path, "LoincTableCore.csv", LOINC_CORE)
    source = parse_source(f"loinc:{path}?class=chem, BLDBK")
    assert source is not None
    found = concepts(list(read_loinc(path, "loinc", classes=source.list_option("class"))))
    assert set(found) == {"LOINC:2160-0", "LOINC:1009-0", "LOINC:1000-9"}
    with pytest.raises(InputError, match=r"no row in it; is this the table of a LOINC release .* with class XYZ"):
        list(read_loinc(path, "loinc", classes=frozenset({"XYZ"})))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"2160-0"', '"LP123-4"', "'LP123-4' is no LOINC number"),
        ('"2160-0"', '""', "'' is no LOINC number"),
        ('"","ACTIVE","1.0","2.42"', '"","GONE","1.0","2.42"', "unknown status 'GONE'"),
        ('"Creatinine [Mass/volume] in Serum or Plasma",', "", "14 columns, expected 15"),
    ],
)
def test_a_bad_row_of_loinc(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = write(tmp_path, "LoincTableCore.csv", LOINC_CORE.replace(old, new))
    records = list(read_loinc(path, "loinc"))
    assert rejects(records) == [Reject("line 2", reason)]
    assert len(concepts(records)) == 3


def test_a_code_without_a_long_name_goes_by_its_axes(tmp_path: Path) -> None:
    text = LOINC_CORE.replace("Creatinine [Mass/volume] in Serum or Plasma", "")
    found = concepts(list(read_loinc(write(tmp_path, "LoincTableCore.csv", text), "loinc")))
    assert found["LOINC:2160-0"].name == "Creatinine:MCnc:Pt:Ser/Plas:Qn"


def stated(records: list[Record]) -> list[tuple[str, Predicate, str, bool, str]]:
    return [
        (f.statement.subject, f.statement.predicate, f.statement.object, f.statement.negated, f.evidence.note)
        for f in records
        if isinstance(f, Fact)
    ]


def test_outcomes_become_statements(tmp_path: Path) -> None:
    records = list(read_loinc2hpo(write(tmp_path, "loinc2hpo-annotations.tsv", LOINC2HPO), "l2h"))
    p = Predicate
    assert stated(records) == [
        ("LOINC:2160-0", p.HIGH_INDICATES, "HP:0003259", False, "outcome H; scale Qn"),
        ("LOINC:2160-0", p.LOW_INDICATES, "HP:0012101", False, "outcome L; scale Qn"),
        ("LOINC:2160-0", p.NORMAL_INDICATES, "HP:0012100", True, "outcome N; scale Qn; comment copied"),
        ("LOINC:600-7", p.HIGH_INDICATES, "HP:0031864", False, "outcome POS; scale Nom"),
        ("LOINC:600-7", p.NORMAL_INDICATES, "HP:0031864", True, "outcome NEG; scale Nom"),
        ("LOINC:883-9", p.MEASURES, "HP:0032370", False, "outcome SNOMEDCT:112144000; scale Nom"),
    ]


def test_the_older_layout_says_itself_what_is_negated(tmp_path: Path) -> None:
    records = list(read_loinc2hpo(write(tmp_path, "annotations.tsv", LOINC2HPO_OLD), "l2h"))
    p = Predicate
    assert stated(records) == [
        ("LOINC:2823-3", p.HIGH_INDICATES, "HP:0011042", False, "outcome A; scale Qn"),
        ("LOINC:2823-3", p.LOW_INDICATES, "HP:0011042", False, "outcome A; scale Qn"),
        ("LOINC:2823-3", p.NORMAL_INDICATES, "HP:0011042", True, "outcome N; scale Qn"),
        ("LOINC:9269-2", p.NORMAL_INDICATES, "HP:0001259", False, "outcome N; scale Qn"),
        ("LOINC:600-7", p.MEASURES, "HP:0002726", False, "outcome http://snomed.info/sct 3092008; scale Nom"),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x\tQn\tH\tHP:0000001\t.\t.\t.", "'x' is no LOINC number"),
        ("1-8\tQn\tH\tMP:1\t.\t.\t.", "hpoTermId is no HPO id"),
        ("1-8\tQn\tU\tHP:0000001\t.\t.\t.", "unknown outcome 'U'"),
        ("1-8\tQn\tH", "3 columns, expected 7"),
    ],
)
def test_a_bad_annotation(tmp_path: Path, row: str, reason: str) -> None:
    records = list(read_loinc2hpo(write(tmp_path, "a.tsv", LOINC2HPO + row + "\n"), "l2h"))
    assert rejects(records) == [Reject("line 8", reason)]


def test_negation_is_true_or_false(tmp_path: Path) -> None:
    text = LOINC2HPO_OLD.replace("HP:0011042\tfalse", "HP:0011042\tmaybe")
    records = list(read_loinc2hpo(write(tmp_path, "a.tsv", text), "l2h"))
    assert [r.reason for r in rejects(records)] == ["isNegated is 'maybe', expected true or false"]


@pytest.mark.skipif(not HPO.is_dir(), reason="no real annotations here")
def test_the_real_annotations() -> None:
    records = list(read_loinc2hpo(HPO / "loinc2hpo-annotations.tsv.gz", "l2h"))
    assert not rejects(records)
    facts = [r.statement for r in records if isinstance(r, Fact)]
    assert Counter((f.predicate, f.negated) for f in facts) == {
        (Predicate.NORMAL_INDICATES, True): 3135,
        (Predicate.HIGH_INDICATES, False): 2992,
        (Predicate.LOW_INDICATES, False): 1274,
        (Predicate.MEASURES, False): 14,
    }
    assert sum(1 for f in facts if f.subject == "LOINC:2823-3" and f.object == "HP:0002153") == 1
