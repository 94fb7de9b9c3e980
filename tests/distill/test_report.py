from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from distill.diagnose import DiagnosedAdmission, diagnose_admissions
from distill.report import write_report, write_results
from distill.report.curves import draw_curves
from distill.report.evidence import citation
from distill.report.findings import finding_state
from distill.report.layout import GraphEdge, GraphNode, draw, wrap
from distill.report.notes import note_pieces
from distill.types import DiseaseResult, PatchEvidence, SpanEvidence
from ehr.series import series_by_code
from ehr.types import NoteSection, TimeSeries
from kg.stores import open_store
from kg.types import Finding
from tests.distill.rationale_cases import FINDINGS, NAMES

NASTY = "<script>alert('x')</script>\"&"


class Page(HTMLParser):
    """Collects what a page would load, run or link to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.outside: list[str] = []
        self.handlers: list[str] = []
        self.policy = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br", "link", "img", "input", "hr"):
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name in ("src", "srcset", "data", "action") or (tag == "link"):
                self.outside.append(value or "")
            if name.startswith("on") or name == "style":
                self.handlers.append(name)
            if name == "content" and "default-src" in (value or ""):
                self.policy = value or ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"


def check_page(text: str) -> Page:
    """A page that loads nothing, runs nothing, is well nested, and whose anchors all exist."""
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags and page.outside == [] and page.handlers == []
    assert len(set(page.ids)) == len(page.ids)
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inner) <= set(page.ids)
    assert all(link.startswith(("#", "https://", "http://")) for link in page.links)
    sheet = re.search(r"<style>(.*?)</style>", text, re.S)
    assert sheet is not None
    digest = base64.b64encode(hashlib.sha256(sheet.group(1).encode()).digest()).decode()
    assert page.policy.startswith("default-src 'none'") and f"'sha256-{digest}'" in page.policy
    assert "url(" not in sheet.group(1) and "@import" not in sheet.group(1)
    return page


@pytest.fixture(scope="module")
def told(tiny_world: tuple, tiny_run: object, tmp_path_factory: pytest.TempPathFactory) -> DiagnosedAdmission:
    bundle, cohort = tiny_world
    url = f"ladybug:{tmp_path_factory.mktemp('report') / 'graph.lbug'}"
    with open_store(url, read_only=False) as store:
        store.load(bundle)
        key = cohort.ids("test")[0]
        (one,) = diagnose_admissions(tiny_run, bundle, cohort=cohort, admission_ids=[key], store=store)  # type: ignore[arg-type]
    return one


def report(told: DiagnosedAdmission, tiny_world: tuple, out: Path, **options: bool) -> str:
    write_report(
        told.diagnosis, told.admission, told.subgraph, tiny_world[0], told.evidence, out,
        findings=told.findings, thresholds=told.thresholds, store=told.store, **options,
    )  # fmt: skip
    return out.read_text(encoding="utf-8")


def test_a_report_is_one_page_that_needs_nothing_else(
    told: DiagnosedAdmission, tiny_world: tuple, tmp_path: Path
) -> None:
    text = report(told, tiny_world, tmp_path / "r.html")
    page = check_page(text)
    assert "no medical device" in text
    assert {f"disease-{rank}" for rank in range(1, 26)} <= set(page.ids)
    assert any(identifier.startswith("ev-") for identifier in page.ids)
    assert "svg" in page.tags and "not measured, and nothing assumed" in text.lower()
    assert text == report(told, tiny_world, tmp_path / "again.html")


def test_note_text_stands_in_the_page_only_when_asked_for(
    told: DiagnosedAdmission, tiny_world: tuple, tmp_path: Path
) -> None:
    secret = told.admission.notes[0].text[-6:]
    assert secret == "today."
    assert secret not in report(told, tiny_world, tmp_path / "a.html")
    text = report(told, tiny_world, tmp_path / "b.html", include_text=True)
    assert secret in text
    page = check_page(text)
    assert "mark" in page.tags


def test_everything_is_escaped(told: DiagnosedAdmission, tiny_world: tuple, tmp_path: Path) -> None:
    sentences = tuple(replace(s, text=NASTY) for s in told.diagnosis.rationale.sentences)
    rationale = replace(told.diagnosis.rationale, sentences=sentences)
    diseases = tuple(replace(d, name=NASTY) for d in told.diagnosis.diseases)
    diagnosis = replace(told.diagnosis, rationale=rationale, diseases=diseases, generated_text=NASTY, run=NASTY)
    admission = replace(told.admission, admission_type=NASTY, notes=(NoteSection(NASTY, NASTY),))
    rows = {"why_diagnosis": [{NASTY: NASTY, "list": [NASTY]}]}
    nasty = replace(told, diagnosis=diagnosis, admission=admission, evidence=rows, store=NASTY)
    text = report(nasty, tiny_world, tmp_path / "r.html", include_text=True)
    check_page(text)
    assert "<script" not in text and "&lt;script&gt;" in text


def test_an_empty_admission_gives_a_page_too(told: DiagnosedAdmission, tiny_world: tuple, tmp_path: Path) -> None:
    bare = tuple(replace(d, nodes=(), patches=(), spans=(), named=False) for d in told.diagnosis.diseases)
    diagnosis = replace(told.diagnosis, diseases=bare, rationale=replace(told.diagnosis.rationale, sentences=()))
    admission = replace(told.admission, notes=(), series=(), medications=(), age=None, sex=None)
    empty = replace(
        told,
        diagnosis=diagnosis,
        admission=admission,
        findings=(),
        evidence={},
        subgraph=replace(told.subgraph, paths=()),
    )
    text = report(empty, tiny_world, tmp_path / "r.html", include_text=True)
    check_page(text)
    assert "No lab or vital sign was measured." in text and "Nothing was linked." in text


def test_citations_link_only_to_places_on_the_web() -> None:
    assert citation("PMID:123").href == "https://pubmed.ncbi.nlm.nih.gov/123/"
    assert citation("https://example.org/a").href == "https://example.org/a"
    for text in ("javascript:alert(1)", "PMID:1 onclick", "A guideline, chapter 3", "data:text/html,x", "https://a b"):
        assert citation(text).href == ""


names = st.text("abcdefg ", min_size=1, max_size=60)


@given(st.integers(1, 8), st.integers(1, 6), st.integers(1, 5), st.data())
@settings(max_examples=60)
def test_boxes_never_overlap_and_edges_lead_right(left: int, middle: int, right: int, data: st.DataObject) -> None:
    sizes = (left, middle, right)
    nodes = [
        GraphNode(f"{column}.{row}", data.draw(names), "phenotype", column)
        for column, size in enumerate(sizes)
        for row in range(size)
    ]
    pairs = [(a, b) for a in nodes for b in nodes if a.column < b.column]
    chosen = data.draw(st.lists(st.sampled_from(pairs), max_size=15, unique=True))
    drawing = draw(nodes, [GraphEdge(a.id, b.id, "shows", 0.5) for a, b in chosen])
    assert {placed.node.id for placed in drawing.nodes} == {node.id for node in nodes}
    for one in drawing.nodes:
        assert one.x >= 0 and one.x + one.width <= drawing.width
        assert one.y >= 0 and one.y + one.height <= drawing.height
        for other in drawing.nodes:
            apart = one.y + one.height <= other.y or other.y + other.height <= one.y or one.x != other.x
            assert one is other or apart
    assert len(drawing.edges) == len(chosen)
    assert all(0 <= edge.label_x <= drawing.width and 0 <= edge.label_y <= drawing.height for edge in drawing.edges)


@given(st.text(max_size=200))
def test_wrapped_names_fit(text: str) -> None:
    lines = wrap(text)
    assert 1 <= len(lines) <= 3 and all(len(line) <= 24 for line in lines)


def series(code: str, hours: list[float], values: list[float]) -> TimeSeries:
    return TimeSeries(code, np.array(hours), np.array(values), series_by_code()[code].unit)


def test_a_stretch_without_values_stays_a_gap() -> None:
    hours = [0.0, 1.0, 2.0, 3.0, 40.0, 41.0]
    (curve,) = draw_curves([series("LOINC:8867-4", hours, [80, 82, 81, 130, 90, 88])], [], series_by_code())
    assert len(curve.lines) == 2 and len(curve.dots) == 6
    assert [dot.abnormal for dot in curve.dots] == [False, False, False, True, False, False]
    assert curve.abnormal == 1


def test_attended_hours_are_shaded_by_weight_and_stand_first() -> None:
    patches = (PatchEvidence("LOINC:718-7", 0, 12, 0.4), PatchEvidence("LOINC:718-7", 12, 24, 0.1))
    disease = DiseaseResult("CCS:153", "gastrointestinal hemorrhage", 0.9, 1, True, patches=patches)
    drawn = draw_curves(
        [series("LOINC:8867-4", [0, 30], [80, 200]), series("LOINC:718-7", [2], [6.1])], [disease], series_by_code()
    )
    assert [curve.code for curve in drawn] == ["LOINC:718-7", "LOINC:8867-4"]
    first, second = drawn[0].shades
    assert first.opacity > second.opacity and first.x < second.x and "40.0%" in first.title
    assert drawn[0].lines == () and len(drawn[0].dots) == 1


values = st.lists(st.floats(0.1, 300), min_size=1, max_size=30)


@given(values, st.data())
def test_every_value_stands_inside_its_frame(numbers: list[float], data: st.DataObject) -> None:
    hours = sorted(data.draw(st.lists(st.floats(-50, 900), min_size=len(numbers), max_size=len(numbers))))
    (curve,) = draw_curves([series("LOINC:2345-7", hours, numbers)], [], series_by_code())
    assert all(0 <= dot.x <= 300 and 0 <= dot.y <= 150 for dot in curve.dots)
    assert len(curve.y_ticks) >= 2


@given(st.text(max_size=80), st.data())
def test_pieces_of_a_note_are_the_note(text: str, data: st.DataObject) -> None:
    place = st.integers(-5, 90)
    spots = data.draw(st.lists(st.tuples(place, place, st.booleans()), max_size=6))
    findings = [Finding("1", "HP:1", "note", negated=n, section="s", start=a, end=b) for a, b, n in spots]
    spans = tuple(SpanEvidence("s", a, b, abs(a) / 10) for a, b, _ in spots)
    disease = DiseaseResult("CCS:249", "shock", 0.5, 1, True, spans=spans)
    pieces = note_pieces(NoteSection("s", text), findings, [disease], NAMES, finding_state)
    assert "".join(piece.text for piece in pieces) == text
    assert all(0 <= piece.level <= 4 for piece in pieces)


def test_states_of_findings() -> None:
    assert [finding_state(f) for f in FINDINGS] == ["present", "present", "denied", "history"] + ["present"] * 3


def interval(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.05, "high": value + 0.05}


def test_results_show_arms_by_splits_with_intervals(tmp_path: Path) -> None:
    def arm(value: float, control: bool = False, splits: tuple[str, ...] = ("test", "test_links")) -> dict[str, object]:
        labels = {"CCS:249": {"auroc": interval(value), "positives": 12}}
        inside = {"n_admissions": 1200, "metrics": {"macro_auroc": interval(value), "zeta": interval(0.2)}}
        return {
            "note": NASTY,
            "steps": 600,
            "evaluation_only": control,
            "splits": {split: {**inside, "labels": labels} for split in splits},
        }

    metrics = {
        "arms": {"full": arm(0.8), "boosting": arm(0.7), "rewired": arm(0.9, control=True, splits=("test",))},
        "meta": {"simulated": True, "bootstrap": {"samples": 1000}, "nothing": None},
    }
    write_results(metrics, tmp_path / "results.html")
    text = (tmp_path / "results.html").read_text()
    check_page(text)
    assert text.index("<code>test</code>") < text.index("<code>test_links</code>")
    assert "0.750 to 0.850" in text and "1,200 admissions" in text and "AUROC, macro" in text and "zeta" in text
    # The best model is bold; a control, however high, is not.
    assert re.findall(r'class="number best">([0-9.]+)', text)[0] == "0.800"
    assert "no clinical claim" in text and "<script" not in text
    assert text.count("rewired") == 1


@pytest.mark.parametrize("metrics", [{}, {"arms": {}}, {"arms": {"full": {"splits": {"test": {}}}}, "meta": {}}])
def test_results_of_nothing_are_an_empty_page(metrics: dict[str, object], tmp_path: Path) -> None:
    write_results(metrics, tmp_path / "r.html")
    check_page((tmp_path / "r.html").read_text())
