"""UMLS: names, codes, categories, definitions, relations and their direction; odd and broken files."""

from __future__ import annotations

import gzip
import random
import zipfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ehr.errors import InputError
from kg.readers.formats import FORMATS
from kg.readers.records import EXACT_MATCH, REPLACED_BY, XREF
from kg.readers.rrf_relations import Rules
from kg.readers.umls import read_umls, semantic_types
from kg.vocabulary import Category, Predicate
from tests.kg.reader_rows import read_rows, rows_of
from tests.kg.rrf_files import atom, rrf, write
from tests.kg.umls_files import COLD, CONSO, FEVER, FILES, GRAIN, NOSE, OLD, PILL, STY, VIRUS

read = partial(read_rows, "umls")


@pytest.fixture
def meta(tmp_path: Path) -> Path:
    return write(tmp_path / "META", FILES)


def test_concepts_have_the_preferred_name_category_and_definition(meta: Path) -> None:
    found = read(meta)
    assert found.header.version == "2099AA"
    fever = found.concept(f"UMLS:{FEVER}")
    assert (fever["name"], fever["category"], fever["deprecated"]) == ("Glow", "biolink:PhenotypicFeature", False)
    assert fever["definition"] == "Being warm to the touch."
    categories = {row["id"]: str(row["category"]).partition(":")[2] for row in found.parts["concepts"]}
    assert categories == {
        f"UMLS:{FEVER}": "PhenotypicFeature",
        f"UMLS:{COLD}": "Disease",
        f"UMLS:{VIRUS}": "OrganismTaxon",
        f"UMLS:{PILL}": "Drug",
        f"UMLS:{GRAIN}": "Drug",
        f"UMLS:{NOSE}": "NamedThing",  # a type that the table lacks
    }
    assert found.synonyms(f"UMLS:{FEVER}") == {("Warm glow", "ET/MSH"), ("Glow (finding)", "FN/SNOMEDCT_US")}
    assert found.concept(f"UMLS:{COLD}")["definition"] == "Any."


def test_codes_become_mappings_and_a_code_has_one_exact_match(meta: Path) -> None:
    found = read(meta)
    assert (f"UMLS:{FEVER}", EXACT_MATCH, "MESH:D900001") in found.mappings
    assert (f"UMLS:{NOSE}", XREF, "MESH:D900001") in found.mappings
    assert (f"UMLS:{FEVER}", EXACT_MATCH, "HP:9000001") in found.mappings
    assert (f"UMLS:{COLD}", EXACT_MATCH, "ICD10CM:N17.9") in found.mappings
    assert (f"UMLS:{GRAIN}", EXACT_MATCH, "RXNORM:900005") in found.mappings
    assert not any("NOCODE" in str(target) for _, _, target in found.mappings)


def test_former_cuis_are_replaced_where_they_were_merged(meta: Path) -> None:
    replaced = {(s, o) for s, p, o in read(meta).mappings if p == REPLACED_BY}
    assert replaced == {(f"UMLS:{OLD}", f"UMLS:{FEVER}"), ("UMLS:C9000096", f"UMLS:{COLD}")}


def test_relations_read_from_the_second_concept_to_the_first_and_come_once(meta: Path) -> None:
    found = read(meta)
    assert found.facts == {
        (f"UMLS:{COLD}", "has_phenotype", f"UMLS:{FEVER}", "SAB HPO; has_manifestation"),
        (f"UMLS:{GRAIN}", "treats", f"UMLS:{COLD}", "SAB MED-RT; may_treat"),
        (f"UMLS:{VIRUS}", "causes", f"UMLS:{COLD}", "SAB SNOMEDCT_US; causative_agent_of"),
        (f"UMLS:{COLD}", "located_in", f"UMLS:{NOSE}", "SAB SNOMEDCT_US; has_finding_site"),
        (f"UMLS:{PILL}", "has_ingredient", f"UMLS:{GRAIN}", "SAB RXNORM; has_ingredient"),
        (f"UMLS:{COLD}", "subclass_of", f"UMLS:{FEVER}", "SAB SNOMEDCT_US; isa"),
        (f"UMLS:{FEVER}", "subclass_of", f"UMLS:{NOSE}", "SAB MSH; PAR"),
        (f"UMLS:{FEVER}", "related_to", f"UMLS:{VIRUS}", "SAB MTH; RB"),
        (f"UMLS:{FEVER}", "related_to", f"UMLS:{VIRUS}", "SAB MSH; RO"),
        (f"UMLS:{FEVER}", "related_to", f"UMLS:{NOSE}", "SAB SNOMEDCT_US; glows_with"),
        (f"UMLS:{FEVER}", "has_phenotype", f"UMLS:{NOSE}", "SAB NCI; disease_excludes_finding"),
    }
    negated = {row["note"] for row in found.parts["facts"] if row["negated"]}
    assert negated == {"SAB NCI; disease_excludes_finding"}
    assert {row["subject_as_written"] for row in found.parts["facts"]} == {COLD, GRAIN, VIRUS, PILL, FEVER}
    assert ("MRREL.RRF line 26", "concept C9999999 is not in MRCONSO.RRF") in found.rejects
    assert len(found.rejects) == 1


def test_inverses_of_unknown_relations_are_taken_from_mrdoc(meta: Path) -> None:
    doc = rrf("MRDOC.RRF", DOCKEY="RELA", VALUE="is_lit_by", TYPE="rela_inverse", EXPL="glows_with")
    write(
        meta,
        {"MRDOC.RRF": doc + rrf("MRDOC.RRF", DOCKEY="RELA", VALUE="glows_with", TYPE="rela_inverse", EXPL="is_lit_by")},
    )
    unknown = {fact for fact in read(meta).facts if "glows" in str(fact[3]) or "lit" in str(fact[3])}
    assert unknown == {(f"UMLS:{FEVER}", "related_to", f"UMLS:{NOSE}", "SAB SNOMEDCT_US; glows_with")}


def test_options_filter_rows(meta: Path) -> None:
    found = read(meta, sab="MSH,HPO")
    assert {row["id"] for row in found.parts["concepts"]} == {f"UMLS:{FEVER}", f"UMLS:{NOSE}"}
    assert found.facts == {(f"UMLS:{FEVER}", "subclass_of", f"UMLS:{NOSE}", "SAB MSH; PAR")}
    found = read(meta, srl="0")
    assert f"UMLS:{VIRUS}" not in {row["id"] for row in found.parts["concepts"]}  # SNOMED CT is level 9 here
    assert all("MED-RT" not in str(note) for *_, note in found.facts)
    found = read(meta, lang="GER")
    assert [(row["id"], row["name"], row["definition"]) for row in found.parts["concepts"]] == [
        (f"UMLS:{FEVER}", "Glut", "Warm.")
    ]
    assert ("Glut", "MH/MSHGER") in read(meta, lang="ENG,GER").synonyms(f"UMLS:{FEVER}")
    found = read(meta, suppress="keep")
    assert ("Glowe", "ET/MSH") in found.synonyms(f"UMLS:{FEVER}")
    assert (f"UMLS:{GRAIN}", "related_to", f"UMLS:{FEVER}", "SAB MED-RT; may_prevent") in found.facts
    assert {fact[3] for fact in read(meta, rel="may_be_treated_by,PAR").facts} == {
        "SAB MED-RT; may_treat",
        "SAB SNOMEDCT_US; isa",
        "SAB MSH; PAR",
    }
    assert {fact[:3] for fact in read(meta, rel="is_lit_by").facts} == {(f"UMLS:{NOSE}", "related_to", f"UMLS:{FEVER}")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"srl": "low"}, "option srl is 'low'"),
        ({"suppress": "maybe"}, "expected keep or drop"),
        ({"sab": "SNOMED"}, "no rows of SAB 'SNOMED'.*it has HPO, ICD10CM"),
        ({"lang": "FRE"}, "no row is left.*languages ENG, GER"),
    ],
)
def test_options_that_make_no_sense(meta: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(meta, **options)


def test_ranks_decide_where_the_default_name_was_filtered_out(tmp_path: Path) -> None:
    conso = (
        atom(FEVER, "By term type", "AAA", "SY", "1", TS="S", ISPREF="N")
        + atom(FEVER, "By rank", "AAA", "XX", "2", TS="S", ISPREF="N")
        + atom(FEVER, "Elsewhere", "BBB", "PT", "3")
    )
    path = write(tmp_path, {"MRCONSO.RRF": conso, "MRSTY.RRF": STY})
    assert read(path, sab="AAA").concept(f"UMLS:{FEVER}")["name"] == "By term type"
    ranks = rrf("MRRANK.RRF", RANK="0001", SAB="AAA", TTY="SY") + rrf("MRRANK.RRF", RANK="0002", SAB="AAA", TTY="XX")
    write(tmp_path, {"MRRANK.RRF": ranks})
    assert read(path, sab="AAA").concept(f"UMLS:{FEVER}")["name"] == "By rank"


def test_a_concept_of_obsolete_atoms_is_deprecated(tmp_path: Path) -> None:
    conso = atom(FEVER, "Gone", SUPPRESS="O") + atom(COLD, "Here")
    path = write(tmp_path, {"MRCONSO.RRF": conso, "MRSTY.RRF": STY})
    assert [row["name"] for row in read(path).parts["concepts"]] == ["Here"]
    assert read(path, suppress="keep").concept(f"UMLS:{FEVER}")["deprecated"] is True


def test_every_packing_gives_the_same(meta: Path, tmp_path: Path) -> None:
    expected = read(meta).parts
    packed = tmp_path / "packed"
    write(packed, {name + ".gz": gzip.compress(content.encode()) for name, content in FILES.items()})  # type: ignore[union-attr]
    assert read(packed).parts == expected
    with zipfile.ZipFile(tmp_path / "meta.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(f"2099AA/META/{name}", content)
    assert read(tmp_path / "meta.zip").parts == expected
    crlf = {name: str(content).replace("\n", "\r\n") for name, content in FILES.items()}
    assert read(write(tmp_path / "crlf", crlf)).parts == expected
    bare = {name: str(content).replace("|\n", "\n") for name, content in FILES.items()}
    assert read(write(tmp_path / "bare", bare)).parts == expected  # without the delimiter at the end of lines
    assert [e.name for e in FORMATS["umls"].files(meta)][:2] == ["MRCONSO.RRF", "MRSTY.RRF"]


def test_bad_rows_cost_only_themselves(meta: Path) -> None:
    lines = CONSO.encode().splitlines(keepends=True)
    lines[1] = b"C9000001|ENG|too few|\n"
    lines[2] = lines[2].replace(b"Glow (finding)", b"Gl\xffow")
    lines[12:12] = [b"\n", b"nonsense" + lines[12][8:], atom(NOSE, " ").encode(), b"x" * (10 << 20) + b"\n"]
    write(meta, {"MRCONSO.RRF": b"".join(lines)})
    found = read(meta)
    assert found.synonyms(f"UMLS:{FEVER}") == set()
    assert found.concept(f"UMLS:{NOSE}")["name"] == "Nose"
    assert {(r, str(why)[:28]) for r, why in found.rejects} == {
        ("MRCONSO.RRF line 2", "4 columns, expected 18"),
        ("MRCONSO.RRF line 3", "not UTF-8"),
        ("MRCONSO.RRF line 14", "no concept id in column 1, e"),
        ("MRCONSO.RRF line 15", "a concept's name is empty"),
        ("MRCONSO.RRF line 16", "line longer than 4 MiB"),
        ("MRREL.RRF line 26", "concept C9999999 is not in M"),
    }


def test_files_that_cannot_be_used(meta: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no MRCONSO\.RRF, found nothing; expected the META directory"):
        read(write(tmp_path / "empty", {}))
    with pytest.raises(InputError, match=r"holds no MRCONSO\.RRF"):
        FORMATS["umls"].files(write(tmp_path / "empty", {}))
    cut = gzip.compress(random.Random(1).randbytes(5000).hex().encode())[:3000]
    with pytest.raises(InputError, match="truncated gzip"):
        read(write(tmp_path / "cut", {"MRCONSO.RRF.gz": cut, "MRSTY.RRF": STY}))
    with pytest.raises(InputError, match=r"no row that can be read; line 1: 1 columns, expected 18; is this MRCONSO"):
        read(write(tmp_path / "other", {"MRCONSO.RRF": "id,name\n1,2\n", "MRSTY.RRF": STY}))
    with pytest.raises(InputError, match="holds no names"):
        read(write(tmp_path / "none", {"MRCONSO.RRF": "", "MRSTY.RRF": STY}))
    (meta / "MRSTY.RRF").unlink()
    with pytest.raises(InputError, match=r"no MRSTY\.RRF, so nothing tells diseases from drugs.*category=Disease"):
        read(meta)
    found = rows_of(read_umls(meta, "umls", category=Category.DISEASE))
    assert {row["category"] for row in found.parts["concepts"]} == {"biolink:Disease"}


def test_optional_files_may_be_absent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = read(write(tmp_path, {"MRCONSO.RRF": CONSO, "MRSTY.RRF": STY}))
    assert len(found.parts["concepts"]) == 6 and not found.facts
    said = capsys.readouterr().err
    assert "no MRREL.RRF" in said and "no MRDEF.RRF" in said and "no MRSAB.RRF" in said


def test_every_semantic_type_has_a_category() -> None:
    assert len(semantic_types()) == 136  # 127 and nine former ones
    assert semantic_types()["T047"] is Category.DISEASE


@pytest.mark.parametrize("rela", ["isa", "may_treat", "has_finding_site", "due_to", "has_component", "glows", ""])
@pytest.mark.parametrize("rel", ["PAR", "CHD", "RO", "RB", "RN", "ZZ"])
def test_rules_never_depend_on_the_other_rows(rel: str, rela: str) -> None:
    rule = Rules().rule(rel, rela)
    assert rule is not None and rule == Rules().rule(rel.lower(), rela.upper())
    if rela == "due_to":
        assert (rule.name, rule.subject, rule.predicate) == ("cause_of", "first", Predicate.CAUSES)


def test_names_of_relations_stand_once_and_have_predicates() -> None:
    rules = Rules()
    for name in ("isa", "inverse_isa", "concept_in_subset", "sib_in_isa"):
        rule = rules.rule("RO", name)
        assert (rule is None) == (name in ("concept_in_subset", "sib_in_isa"))
    asked = Rules(frozenset({"concept_in_subset"})).rule("RO", "subset_includes_concept")
    assert asked is not None and (asked.subject, asked.predicate) == ("first", Predicate.RELATED_TO)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_bytes_end_in_rows_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Random bytes, and good files with something cut out or put in."""
    files = dict(FILES)
    name = data.draw(st.sampled_from(sorted(files)))
    content = str(files[name]).encode()
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(content)))
        end = data.draw(st.integers(start, min(len(content), start + 40)))
        content = content[:start] + data.draw(st.binary(max_size=30)) + content[end:]
    else:
        content = data.draw(st.binary(max_size=200))
    folder = tmp_path_factory.mktemp("fuzz")
    try:
        read(write(folder, {**files, name: content}))
    except InputError as error:
        assert "\n" not in str(error)


def test_numbers_of_thousands_of_digits_are_none(tmp_path: Path) -> None:
    long = "9" * 5000
    ranks = rrf("MRRANK.RRF", RANK=long, SAB="MSH", TTY="MH") + rrf("MRRANK.RRF", RANK="0002", SAB="MSH", TTY="ET")
    folder = write(
        tmp_path / "META", FILES | {"MRRANK.RRF": ranks, "MRSAB.RRF": rrf("MRSAB.RRF", RSAB="MSH", SRL=long)}
    )
    assert read(folder).concept(f"UMLS:{FEVER}")
