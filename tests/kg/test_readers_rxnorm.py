"""RxNorm: names by term type, categories, codes of other sources, relations by concept and by atom."""

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
from kg.readers.records import EXACT_MATCH, REPLACED_BY, XREF
from kg.vocabulary import Category
from tests.kg.reader_rows import read_rows
from tests.kg.rrf_files import write
from tests.kg.rxnorm_files import BRAND, BRANDED, FILES, FORM, GRAIN, STRIP, TABLET, drug

read = partial(read_rows, "rxnorm")


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write(tmp_path / "rrf", FILES)


def test_concepts_are_rxnorms_own_and_named_by_their_first_term_type(release: Path) -> None:
    found = read(release)
    assert found.header.version == "99AA_990104F"
    assert {(row["id"], row["name"], str(row["category"])[8:]) for row in found.parts["concepts"]} == {
        (f"RXNORM:{GRAIN}", "sniffol", "Drug"),
        (f"RXNORM:{BRAND}", "Glowless", "Drug"),
        (f"RXNORM:{TABLET}", "sniffol 5 MG Oral Tablet", "Drug"),
        (f"RXNORM:{BRANDED}", "sniffol 5 MG Oral Tablet [Glowless]", "Drug"),
        (f"RXNORM:{FORM}", "Oral Tablet", "NamedThing"),
        (f"RXNORM:{STRIP}", "glow test strip", "Device"),
    }
    assert found.synonyms(f"RXNORM:{TABLET}") == {
        ("sniffol 5 MG tablet", "PSN/RXNORM"),
        ("sniffol 5 MG Oral Tablet synonym", "SY/RXNORM"),
    }
    assert {row["category"] for row in read(release, Category.CHEMICAL).parts["concepts"]} == {"biolink:ChemicalEntity"}


def test_codes_of_other_sources_and_former_ids_are_mappings(release: Path) -> None:
    assert read(release).mappings == {
        (f"RXNORM:{GRAIN}", "skos:closeMatch", "MTHSPL:0XYZ"),
        (f"RXNORM:{GRAIN}", "skos:closeMatch", "ATC:X01AA01"),
        (f"RXNORM:{GRAIN}", EXACT_MATCH, "SNOMEDCT_US:900001"),
        (f"RXNORM:{GRAIN}", EXACT_MATCH, "SNOMEDCT_US:900002"),
        (f"RXNORM:{TABLET}", XREF, "NDC:00000000001"),
        ("RXNORM:80001", REPLACED_BY, f"RXNORM:{GRAIN}"),
    }


def test_relations_read_from_the_second_concept_to_the_first(release: Path) -> None:
    found = read(release)
    assert found.facts == {
        (f"RXNORM:{TABLET}", "has_ingredient", f"RXNORM:{GRAIN}", "SAB RXNORM; has_ingredient"),
        (f"RXNORM:{BRANDED}", "subclass_of", f"RXNORM:{TABLET}", "SAB RXNORM; tradename_of"),
        (f"RXNORM:{TABLET}", "related_to", f"RXNORM:{FORM}", "SAB RXNORM; has_dose_form"),
        (f"RXNORM:{BRANDED}", "has_ingredient", f"RXNORM:{BRAND}", "SAB RXNORM; has_ingredient"),
    }
    assert found.rejects == [
        ("RXNREL.RRF line 8", "atom 77 is not in RXNCONSO.RRF"),
        ("RXNREL.RRF line 11", "concept 90999 is not in RXNCONSO.RRF"),
    ]
    assert len(read(release, rel="ingredient_of").facts) == 2


def test_options(release: Path) -> None:
    found = read(release, sab="RXNORM,VANDF")
    assert found.concept("RXNORM:90007")["name"] == "other source only"
    assert (f"RXNORM:{GRAIN}", "subclass_of", "RXNORM:90007", "SAB VANDF; isa") in found.facts
    assert read(release, suppress="keep").concept("RXNORM:90008")["deprecated"] is True


def test_the_full_release_is_taken_before_the_prescribable_subset(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "RxNorm_full.zip", "w") as archive:
        archive.writestr("prescribe/rrf/RXNCONSO.RRF", drug("1", "subset", "IN"))
        archive.writestr("rrf/RXNCONSO.RRF", drug("1", "full", "IN"))
    assert read(tmp_path / "RxNorm_full.zip").concept("RXNORM:1")["name"] == "full"


def test_files_that_cannot_be_used(release: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no RXNCONSO\.RRF.*expected the directory rrf of an RxNorm release"):
        FORMATS["rxnorm"].files(write(tmp_path / "empty", {}))
    write(release, {"RXNREL.RRF": "a|b|\n"})
    with pytest.raises(InputError, match=r"RXNREL\.RRF: no row that can be read; line 1: 3 columns, expected 16"):
        read(release)
    write(release, {"RXNREL.RRF": gzip.compress(b"x" * 9000)[:30]})
    with pytest.raises(InputError, match="truncated gzip"):
        read(release)
    (release / "RXNREL.RRF").unlink()
    assert not read(release).facts


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_bytes_end_in_rows_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(FILES)))
    content = str(FILES[name]).encode()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, len(content)))
    content = content[:start] + data.draw(st.binary(max_size=30)) + content[end:]
    try:
        read(write(tmp_path_factory.mktemp("fuzz"), {**FILES, name: content}))
    except InputError as error:
        assert "\n" not in str(error)
