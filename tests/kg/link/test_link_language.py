"""Clinical language in general: parts in any order, values, abbreviations, headings, own rules, bad input."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ehr.cohort import SCHEMAS
from ehr.errors import InputError
from kg.bundle import Bundle
from kg.explore import link_free_text, with_flags_together
from kg.link import link_text
from kg.link.abbreviations import Sense, meaning
from kg.link.context_rules import context_rules
from kg.link.context_terms import spelled_out
from kg.link.headings import find_headings
from kg.link.labs import Range, abnormal_values, trends
from kg.link.measures import measures
from kg.link.parts import parts, sites_above
from kg.types import statement_id
from kg.vocabulary import Category, Predicate
from tests.kg.tables import Rows, write_tables

NAMES = {
    "HP:0000118": "Phenotypic abnormality",
    "HP:0012531": "Pain",
    "HP:0030839": "Knee pain",
    "HP:0002829": "Arthralgia",
    "HP:0012514": "Lower limb pain",
    "HP:0001785": "Ankle swelling",
    "HP:0000969": "Edema",
    "HP:0003484": "Upper limb muscle weakness",
    "HP:0000858": "Irregular menstruation",
    "HP:0000077": "Abnormality of the kidney",
    "HP:0001288": "Gait disturbance",
    "HP:0003074": "Hyperglycemia",
    "HP:0001945": "Fever",
    "HP:0011134": "Low-grade fever",
    "HP:0032263": "Increased blood pressure",
    "HP:0000822": "Hypertension",
    "HP:0003259": "Elevated circulating creatinine concentration",
    "HP:0002153": "Hyperkalemia",
    "HP:0001974": "Leukocytosis",
    "HP:0001824": "Weight loss",
    "HP:0004323": "Abnormality of body weight",
    "HP:0002204": "Pulmonary embolism",
    "HP:0011947": "Respiratory tract infection",
    "HP:0000989": "Pruritus",
    "HP:0100809": "Scalp tenderness",
    "HP:0001297": "Stroke",
    "HP:0012735": "Cough",
    "HP:0012393": "Allergy",
    "HP:0003002": "Breast carcinoma",
    "HP:0100615": "Ovarian neoplasm",
    "HP:0006510": "Chronic obstructive pulmonary disease",
    "HP:0001892": "Abnormal bleeding",
    "HP:0032101": "Unusual infection",
}
SYNONYMS = [("HP:0003002", "Breast cancer"), ("HP:0100615", "Ovarian cancer"), ("HP:0012393", "Allergies")]
FLAGS = ("negated", "historical", "hypothetical", "family")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path: Path = tmp_path_factory.mktemp("language")
    child = Predicate.SUBCLASS_OF
    tables: dict[str, Rows] = {
        "concepts": [{"id": i, "category": Category.PHENOTYPE.value, "name": n} for i, n in sorted(NAMES.items())],
        "synonyms": [{"concept": c, "text": t, "scope": "exact", "kind": ""} for c, t in SYNONYMS],
        "statements": [
            {
                "id": statement_id(i, child, "HP:0000118", False),
                "subject": i,
                "predicate": child.value,
                "object": "HP:0000118",
                "weight": 1.0,
            }
            for i in NAMES
            if i != "HP:0000118"
        ],
    }
    write_tables(path, tables, hash_="language" * 4)
    return Bundle.open(path)


def said(text: str, bundle: Bundle, rules: Path | None = None) -> list[tuple[str, str, str]]:
    return [
        (text[m.start : m.end], NAMES[m.concept], " ".join(f for f in FLAGS if getattr(m, f)))
        for m in link_text(text, bundle, rules=rules)
    ]


def named(text: str, bundle: Bundle) -> list[tuple[str, str]]:
    return [(words, name) for words, name, _ in said(text, bundle)]


@pytest.mark.parametrize(
    ("text", "words", "name"),
    [
        ("Her left ankle is quite swollen.", "ankle is quite swollen", "Ankle swelling"),
        ("edema around the right ankle", "edema around the right ankle", "Ankle swelling"),
        ("tenderness over the medial aspect of the knee", "tenderness over the medial aspect of the knee", "Knee pain"),
        ("shin pain", "shin pain", "Lower limb pain"),
        ("ear pain", "ear pain", "Pain"),
        ("weakness of the left arm", "weakness of the left arm", "Upper limb muscle weakness"),
        ("RUE weakness", "RUE weakness", "Upper limb muscle weakness"),
        ("Her periods have been irregular.", "periods have been irregular", "Irregular menstruation"),
        ("kidney problems", "kidney problems", "Abnormality of the kidney"),
        ("problems with her kidneys", "problems with her kidneys", "Abnormality of the kidney"),
        ("unable to walk", "unable to walk", "Gait disturbance"),
        ("trouble with walking", "trouble with walking", "Gait disturbance"),
        ("scalp is tender", "scalp is tender", "Scalp tenderness"),
    ],
)
def test_parts_are_put_together_in_any_order(text: str, words: str, name: str, graph: Bundle) -> None:
    assert named(text, graph) == [(words, name)]


def test_a_site_belongs_to_the_finding_after_it(graph: Bundle) -> None:
    assert named("Itchy scalp pain", graph) == [("Itchy", "Pruritus"), ("scalp pain", "Scalp tenderness")]


def test_a_vague_finding_gives_way_to_a_clear_one(graph: Bundle) -> None:
    assert named("abnormal weight loss", graph) == [("weight loss", "Weight loss")]
    assert named("weight change", graph) == [("weight change", "Abnormality of body weight")]


def test_sites_share_the_last_word(graph: Bundle) -> None:
    found = said("No breast or ovarian cancer.", graph)
    assert [(w, f) for w, _, f in found] == [("breast", "negated"), ("ovarian cancer", "negated")]


@pytest.mark.parametrize("text", ["non-tender knee", "nontender", "pain medication", "knee surgery", "able to walk"])
def test_what_is_no_finding(text: str, graph: Bundle) -> None:
    assert named(text, graph) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("temp 39.2", [("temp 39.2", "Fever")]),
        ("temperature of 100.3", [("temperature of 100.3", "Low-grade fever")]),
        ("BP 150/80, then 118/70", [("BP 150", "Increased blood pressure")]),
        ("BP 130/95", [("BP 130", "Increased blood pressure")]),
        ("Blood pressure: 120/60 mmHg", []),
        ("Cr 3.1", [("Cr 3.1", "Elevated circulating creatinine concentration")]),
        ("cr 3.1", []),
        ("WBC of 15", [("WBC of 15", "Leukocytosis")]),
        ("WBC 15,000", [("WBC 15,000", "Leukocytosis")]),
        ("K 6.2 and glucose 5 mg", [("K 6.2", "Hyperkalemia")]),
        ("blood sugar today was noted to be 233.", [("blood sugar today was noted to be 233", "Hyperglycemia")]),
        ("fasting glucose 120", [("fasting glucose 120", "Hyperglycemia")]),
        ("glucose 120", []),
        ("potassium was slightly elevated", [("potassium was slightly elevated", "Hyperkalemia")]),
        ("an increase in her blood sugars", [("increase in her blood sugars", "Hyperglycemia")]),
        ("to raise blood pressure", []),
        ("lost about 20 pounds", [("lost about 20 pounds", "Weight loss")]),
        ("lost his wallet", []),
        ("blood pressure goal is 190", []),
    ],
)  # fmt: skip
def test_values_in_numbers_and_words(text: str, found: list[tuple[str, str]], graph: Bundle) -> None:
    assert named(text, graph) == found


def test_abbreviations_depend_on_their_neighbours(graph: Bundle) -> None:
    assert named("CT of the chest shows PE, heparin given", graph) == [("PE", "Pulmonary embolism")]
    assert named("PE tubes in both ears for otitis", graph) == []
    assert named("copd", graph) == [("copd", "Chronic obstructive pulmonary disease")]
    assert named("runny nose and a cold", graph) == [("cold", "Respiratory tract infection")]
    assert named("cold weather", graph) == []
    one, other = Sense(("A",), frozenset(("x",)), False), Sense((), frozenset(("y",)), True)
    assert meaning((one, other), frozenset(("x",))) is one
    assert meaning((one, other), frozenset()) is other
    assert meaning((one,), frozenset()) is None


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("FAMILY HISTORY\n\nStroke.\n\nEXAM\n\nCough.", ["family", ""]),
        ("Family history: Stroke. Social history: Cough.", ["family", ""]),
        ("PAST MEDICAL HISTORY: Stroke, hypertension.\nPLAN: Cough", ["historical", "", ""]),
        ("ALLERGIES\n\nCough", [""]),
        ("A three month history of cough", [""]),
        ("here with her mother for evaluation of cough", [""]),
        ("Mother had a cough", ["family"]),
        ("denies any known family history of stroke", ["negated family"]),
        ("Risks of surgery include infection; bleeding; stroke.", ["hypothetical"] * 3),
        ("No cough; fever", ["negated", ""]),
        ("He thinks he has a fever", ["hypothetical"]),
        ("make sure that she does not have a stroke", ["hypothetical"]),
        ("Stroke: not identified.", ["negated"]),
        ("He had a stroke back then", ["historical"]),
        ("If his cough does not improve", [""]),
        ("the brace has not been helpful in alleviating his cough", [""]),
        ("They have not noted him to have any fever or cough.", ["negated", "negated"]),
        ("Denies previous treatment for her cough.", [""]),
        ("The cough began two years ago.", [""]),
        ("A stroke two years ago.", ["historical"]),
        ("possible stroke, cough", ["hypothetical", ""]),
        ("Her mother died due to a stroke.", ["family"]),
        ("Father had a history of stroke", ["family"]),
        ("No one in his family has had a stroke", ["negated family"]),
        ("cough negative, fever", ["negated", ""]),
        ("cough with negative imaging", [""]),
        ("Her cough resolved spontaneously.", ["historical"]),
    ],
)
def test_context_of_free_text(text: str, flags: list[str], graph: Bundle) -> None:
    assert [f for _, _, f in said(text, graph)] == flags


def test_own_rules_add_to_those_of_the_package(graph: Bundle, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[rule]]\nflag = "negated"\ndirection = "forward"\nterms = ["(kein|keine)"]\n')
    assert said("keine fever, no cough", graph, own) == [("fever", "Fever", "negated"), ("cough", "Cough", "negated")]
    assert said("keine fever", graph) == [("fever", "Fever", "")]
    assert context_rules(own).digest != context_rules().digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rule]]\nflag = 1", "rule 1"),
        ("[[end]]\nonly = ['x']\nterms = []", "end 1"),
        ("colour = 1", "unknown key 'colour'"),
        ("= 1", "cannot be read"),
    ],
)
def test_own_rules_that_are_wrong_say_so(text: str, message: str, graph: Bundle, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(InputError, match=message):
        link_text("cough", graph, rules=own)
    with pytest.raises(InputError, match="cannot be read"):
        link_text("cough", graph, rules=tmp_path / "absent.toml")


def test_headings_and_alternatives() -> None:
    known = {"family history": "family_history"}
    text = "FAMILY HISTORY:\nx\nSocial history: y\n- Exam: z\nNot a heading at all, is it\n"
    assert [(text[h.start : h.end], h.section) for h in find_headings(text, known)] == [
        ("FAMILY HISTORY", "family_history"),
        ("Social history", ""),
        ("Exam", ""),
    ]
    assert list(spelled_out("a (b|) (c|d)")) == ["a b c", "a b d", "a c", "a d"]


def test_the_lists_fit_together() -> None:
    known = parts()
    for site in known.above:
        assert next(iter(sites_above(site, known))) == site
        assert set(sites_above(site, known)) - {"cardiovascular"} <= set(known.above)
    assert known.systems.keys() <= known.above.keys()
    for measure in measures().by_name.values():
        assert measure.least < measure.most and measure.terms
        assert measure.below is None or measure.above is None or measure.below < measure.above


@pytest.mark.parametrize(
    "text",
    [
        "Der Patient klagt über Schmerzen in der Brust, keine Atemnot. 患者は胸の痛みを訴える。" * 50,
        "".join(map(chr, range(32))) * 500,
        "a" * 1_000_000,
        "knee " * 50_000,
        "no cough " * 20_000,
        "no " * 100_000,
        "7" * 500_000,
        "7 " * 200_000,
        "\n" * 500_000,
        " \t" * 200_000,
        "non-" * 100_000,
        "low back " * 50_000,
        "".join(f"word{chr(97 + n % 26)}{chr(97 + n // 26 % 26)}{chr(97 + n // 676)}ation " for n in range(10_000)),
        "\ud800 cough \U0010ffff",
    ],
    ids=[
        *("languages", "control characters", "one word", "sites", "negations", "no", "one number", "numbers", "lines"),
        *("blanks", "non", "phrases", "unknown words", "odd code points"),
    ],
)
def test_hostile_text_is_linked_without_a_crash(text: str, graph: Bundle) -> None:
    for mention in link_text(text, graph):
        assert text[mention.start : mention.end] in ("cough",)


@pytest.mark.slow
def test_text_of_five_megabytes(graph: Bundle) -> None:
    line = "No cough; her left ankle is swollen, BP 150/80. FAMILY HISTORY: stroke.\n"
    text = line * (5_000_000 // len(line))
    assert len(link_text(text, graph)) == 4 * (5_000_000 // len(line))


TEXT = """no not denies cough fever knee ankle pain swollen tender is of the and or , . ; : problems with breast cancer
BP 150 / 80 glucose was elevated 233 PE cold mother history unable to walk abnormal weight loss HISTORY FAMILY non -"""
WORDS = st.sampled_from([*TEXT.split(), "\n"])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORDS, max_size=40))
def test_any_row_of_words_gives_mentions_in_order_without_overlap_and_again_the_same(
    words: list[str], graph: Bundle
) -> None:
    text = " ".join(words)
    found = link_text(text, graph)
    assert found == link_text(text, graph)
    last = 0
    for mention in found:
        assert last <= mention.start < mention.end <= len(text)
        assert text[mention.start : mention.end].strip() == text[mention.start : mention.end]
        assert mention.concept in NAMES
        last = mention.end


def test_free_text_as_json_has_exactly_these_keys(
    graph: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ["start", "end", "text", "concept", "name", "negated", "historical", "hypothetical", "family"]
    note = tmp_path / "note.txt"
    note.write_text("No cough.", encoding="utf-8")
    (row,) = json.loads(json.dumps(link_free_text(str(note), graph.path)))
    assert list(row) == keys
    assert (row["start"], row["end"], row["text"]) == (3, 8, "cough")
    assert (row["concept"], row["name"]) == ("HP:0012735", "Cough")
    assert [row[key] for key in keys[5:]] == [True, False, False, False]
    (short,) = with_flags_together([row])
    assert short == {**{key: row[key] for key in keys[:5]}, "context": "negated"}
    monkeypatch.setattr("sys.stdin", io.StringIO("No cough."))
    assert link_free_text("-", graph.path) == [row]
    note.write_bytes(b"\xff")
    with pytest.raises(InputError, match="UTF-8"):
        link_free_text(str(note), graph.path)


SODIUM = Range("LOINC:2951-2", "lab", "mmol/L", 135, 145, 90, 200)


def series(*values: float, hours: float = 8.0) -> pl.DataFrame:
    rows = [("a", SODIUM.code, i * hours, v, "mmol/L", None, None, "labevents:1") for i, v in enumerate(values)]
    return pl.DataFrame(rows, schema=SCHEMAS["series"], orient="row")


@pytest.mark.parametrize(
    ("values", "hours", "direction"),
    [
        ((144, 142, 139, 136), 8.0, ["falling"]),
        ((136, 139, 142, 144), 8.0, ["rising"]),
        ((136, 139, 142, 144), 1.0, []),  # within three hours
        ((136, 144, 136, 144), 8.0, []),  # back and forth
        ((140, 140, 141, 141), 8.0, []),
        ((144, 142, 136), 8.0, []),  # three values
        ((), 8.0, []),
    ],
)
def test_trends_towards_a_limit(values: tuple[float, ...], hours: float, direction: list[str]) -> None:
    frame = series(*values, hours=hours)
    found = trends(frame, [SODIUM])
    assert found["direction"].to_list() == direction
    assert found.columns == abnormal_values(frame, [SODIUM]).columns
    assert trends(frame, [replace(SODIUM, code="LOINC:0-0")]).height == 0
