"""SNOMED CT: names and tags, relationships, history, maps, editions of several files; odd and broken files."""

from __future__ import annotations

import gzip
import zipfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.formats import FORMATS
from kg.readers.records import REPLACED_BY, XREF
from kg.vocabulary import Category
from tests.kg.reader_rows import read_rows
from tests.kg.rrf_files import write
from tests.kg.snomed_files import (
    BOTH,
    COLD,
    FILES,
    GERM,
    GLOW,
    GONE,
    GRAIN,
    HEADS,
    NOSE,
    OLD,
    PILL,
    ROOT,
    SITE,
    concept,
    related,
    table,
)

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "formats" / "snomed_minirf2"


read = partial(read_rows, "snomed")


def curie(identifier: str) -> str:
    return f"SNOMEDCT_US:{identifier}"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write(tmp_path / "Snapshot", FILES)


def test_concepts_are_named_by_the_preferred_term_and_sorted_by_tag(release: Path) -> None:
    found = read(release)
    assert found.header.version == "20990101"
    cold = found.concept(curie(COLD))
    assert (cold["name"], cold["category"]) == ("Sniffle disease", "biolink:Disease")
    assert (cold["definition"], cold["deprecated"]) == ("A disease of the nose.", False)
    assert found.synonyms(curie(COLD)) == {
        ("Sniffles", "synonym"),
        ("Sniffle disease (disorder)", "fully specified name"),
    }
    assert read(release, lang_refset="gb").concept(curie(COLD))["name"] == "Sniffles"
    assert read(release, lang_refset="1234567").concept(curie(COLD))["name"] == "Sniffles"  # the first active one
    names = {row["id"]: (row["name"], str(row["category"])[8:]) for row in found.parts["concepts"]}
    assert names[curie(GLOW)] == ("Glow (of skin)", "PhenotypicFeature")
    assert names[curie(GERM)] == ("Sniffle germ", "OrganismTaxon")
    assert names[curie(NOSE)] == ("Nasal structure", "AnatomicalEntity")
    assert names[curie(PILL)] == ("Product containing sniffol", "Drug")
    assert names[curie(GRAIN)] == ("Sniffol", "ChemicalEntity")
    assert names[curie(ROOT)] == ("SNOMED CT Concept", "NamedThing")
    assert names[curie(BOTH)] == ("", "NamedThing")  # no description at all
    assert {row["category"] for row in read(release, Category.GENE).parts["concepts"]} == {"biolink:Gene"}


def test_inactive_concepts_are_deprecated_and_replaced(release: Path) -> None:
    found = read(release)
    old = found.concept(curie(OLD))
    assert (old["deprecated"], old["replaced_by"]) == (True, curie(COLD))  # SAME AS goes before REPLACED BY
    assert (found.concept(curie(GONE))["deprecated"], found.concept(curie(GONE))["replaced_by"]) == (True, None)
    history = {m for m in found.mappings if "ICD" not in str(m[2])}
    assert history == {
        (curie(OLD), REPLACED_BY, curie(COLD)),
        (curie(GONE), "oboInOwl:consider", curie(GLOW)),
    }


def test_inferred_relationships_become_statements(release: Path) -> None:
    found = read(release)
    assert found.facts == {
        (curie(COLD), "subclass_of", curie(ROOT), ""),
        (curie(COLD), "located_in", curie(NOSE), "Finding site"),
        (curie(GERM), "causes", curie(COLD), "inverse of Causative agent"),
        (curie(COLD), "causes", curie(GLOW), "inverse of 42752001"),  # an attribute without a description
        (curie(PILL), "has_active_ingredient", curie(GRAIN), "127489000"),
        (curie(PILL), "related_to", curie(GRAIN), "363701004"),
    }
    assert {row["subject_as_written"] for row in found.parts["facts"]} == {COLD, GERM, PILL}
    assert found.rejects == [
        ("sct2_Description_Snapshot-en_INT_20990101.txt line 18", "concept 999999999 is not in the concept file"),
        ("sct2_Relationship_Snapshot_INT_20990101.txt line 10", "concept 999999999 is not in the concept file"),
    ]


def test_maps_to_icd_are_close_where_they_hold_without_condition(release: Path) -> None:
    assert {m for m in read(release).mappings if "ICD" in str(m[2])} == {
        (curie(COLD), XREF, "ICD10CM:J00.1"),
        (curie(COLD), "skos:closeMatch", "ICD10CM:J00.0"),
        (curie(COLD), XREF, "ICD10CM:B34.9"),
        (curie(COLD), "skos:closeMatch", "ICD10:J00"),
        (curie(GLOW), "skos:closeMatch", "ICD10CM:T36.0X1"),
    }


def test_of_several_files_the_latest_row_of_a_component_counts(release: Path) -> None:
    write(
        release,
        {
            "sct2_Concept_Snapshot_US_21000101.txt": table(
                HEADS["concept"], concept(NOSE, "0", "21000101"), concept(OLD, "1", "20000101")
            ),
            "sct2_Relationship_Snapshot_US_21000101.txt": table(
                HEADS["relationship"], related(2, COLD, SITE, NOSE, active="0", time="21000101")
            ),
        },
    )
    found = read(release)
    assert found.concept(curie(NOSE))["deprecated"] is True and found.concept(curie(OLD))["deprecated"] is True
    # Relationship 2 is gone, number 10 says the same and stays.
    assert (curie(COLD), "located_in", curie(NOSE), "Finding site") in found.facts
    assert found.header.version == "21000101"


def test_every_packing_gives_the_same(release: Path, tmp_path: Path) -> None:
    expected = read(release).parts
    with zipfile.ZipFile(tmp_path / "edition.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(f"Edition/Snapshot/Terminology/{name}", content)
            archive.writestr(f"Edition/Full/Terminology/{name.replace('Snapshot', 'Full')}", "other")
    assert read(tmp_path / "edition.zip").parts == expected
    packed = {f"{name}.gz": gzip.compress(str(c).replace("\n", "\r\n").encode()) for name, c in FILES.items()}
    assert read(write(tmp_path / "packed", packed)).parts == expected


def test_comments_blank_lines_and_bad_rows(release: Path) -> None:
    name = "sct2_Concept_Snapshot_INT_20990101.txt"
    lines = str(FILES[name]).encode().splitlines(keepends=True)
    lines[0:0] = [b"#\n", b"# a comment\n"]
    lines[4:4] = [b"\n", b"# another\n", b"90x\t2099\t1\ta\tb\n", b"901001\t2099\tyes\ta\tb\n", b"\xff\n", b"1\t2\n"]
    write(release, {name: b"".join(lines)})
    found = read(release)
    assert len(found.parts["concepts"]) == 13
    assert found.rejects[:4] == [
        (f"{name} line 9", "not UTF-8"),
        (f"{name} line 10", "2 columns, expected 5"),
        (f"{name} line 7", "an identifier is no SNOMED CT identifier"),
        (f"{name} line 8", "active is neither 0 nor 1, or id is empty"),
    ]


def test_releases_that_cannot_be_used(release: Path, tmp_path: Path) -> None:
    for other in ("Delta", "Full"):
        folder = write(
            tmp_path / other, {f"sct2_Concept_{other}_INT_20990101.txt": "", "sct2_Description_Snapshot-en.txt": ""}
        )
        with pytest.raises(InputError, match=f"holds the {other} files of a release, expected its Snapshot; take"):
            read(folder)
    with pytest.raises(InputError, match=r"holds no sct2_Concept_Snapshot_\*\.txt, found nothing; expected the Snap"):
        FORMATS["snomed"].files(write(tmp_path / "empty", {}))
    with pytest.raises(InputError, match=r"holds no sct2_Description_Snapshot-sv_\*\.txt"):
        read(release, lang="sv")
    for options, message in (
        ({"lang": "*"}, "option lang is"),
        ({"lang_refset": "us-en"}, "option lang_refset is 'us-en'"),
    ):
        with pytest.raises(InputError, match=message):
            read(release, **options)
    name = "sct2_Concept_Snapshot_INT_20990101.txt"
    for content, message in (
        ("", "no header line, the file is empty"),
        (HEADS["concept"].replace(" ", "\t"), "holds no concepts"),
        (
            table("id effectiveTime moduleId", ("1", "2", "3")),
            "no column 'active', found id, effectiveTime, moduleId; is this",
        ),
    ):
        write(release, {name: content})
        with pytest.raises(InputError, match=message):
            read(release)


def test_a_package_without_inferred_relationships_says_so(release: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (release / "sct2_Relationship_Snapshot_INT_20990101.txt").unlink()
    write(release, {"sct2_sRefset_OWLAxiomSnapshot_INT_20990101.txt": HEADS["refset"] + " owlExpression\n"})
    assert not read(release).facts
    assert "OWL axioms are there, but not read: sct2_Relationship_Snapshot has them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("package", "concepts", "facts"),
    [("Base_snapshot", 12, 12), ("Base_with_Anthrax_snapshot", 15, 17), ("Base_with_Axioms_snapshot", 15, 17)],
)
def test_packages_in_the_real_format(package: str, concepts: int, facts: int) -> None:
    path = REAL / f"SnomedCT_MiniRF2_{package}"
    if not path.is_dir():
        pytest.skip("no real files here")
    found = read(path)
    assert (len(found.parts["concepts"]), len(found.facts), found.rejects) == (concepts, facts, [])
    assert found.concept(curie("362969004"))["name"] == "Disorder of endocrine system"
    assert (curie("362969004"), "located_in", curie("113331007"), "Finding site") in found.facts
    if "Anthrax" in package:
        assert (curie("21927003"), "causes", curie("409498004"), "inverse of Causative agent") in found.facts


def test_a_delta_in_the_real_format_is_refused() -> None:
    path = REAL / "SnomedCT_MiniRF2_Add_Diabetes_delta"
    if not path.is_dir():
        pytest.skip("no real files here")
    with pytest.raises(InputError, match="expected its Snapshot"):
        read(path)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_bytes_end_in_rows_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(FILES)))
    content = str(FILES[name]).encode()
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 40)))
        content = content[:start] + data.draw(st.binary(max_size=30)) + content[end:]
    else:
        content = data.draw(st.binary(max_size=200))
    try:
        read(write(tmp_path_factory.mktemp("fuzz"), {**FILES, name: content}))
    except InputError as error:
        assert "\n" not in str(error)
