"""A drawn subgraph: self-contained, escaped, and without the patient's text unless it is asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from ehr.cohort import SCHEMAS, Cohort, create_cohort
from ehr.errors import InputError
from kg.bundle import Bundle
from kg.link.cohort import SCHEMA as FINDINGS_SCHEMA
from kg.retrieve import Retriever, draw_admission, retrieve_cohort
from kg.retrieve.draw import page_of
from kg.retrieve.picture import BOX, WIDTH, picture_of
from kg.types import Finding
from tests.kg.retrieve.conftest import FINDINGS

NOTE = "Patient says </script><b>SECRET</b> legs are swollen since Tuesday & worse"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    (tmp_path / "cohort").mkdir()
    made = create_cohort(tmp_path / "cohort", {"source": "test"})
    admissions = [(str(i), str(i), 60.0, "F", "EMERGENCY", 9.0, None, [], "train") for i in (1, 2)]
    made.write_table("admissions", pl.DataFrame(admissions, schema=SCHEMAS["admissions"], orient="row"), "a")
    notes = pl.DataFrame([("1", "history", NOTE, "note")], schema=SCHEMAS["notes"], orient="row")
    made.write_table("notes", notes, "n")
    start = NOTE.index("legs")
    placed = [replace(FINDINGS[0], section="history", start=start, end=start + 16), *FINDINGS[1:]]
    rows = [tuple(getattr(f, name) for name in FINDINGS_SCHEMA) for f in placed]
    made.write_table("findings", pl.DataFrame(rows, schema=FINDINGS_SCHEMA, orient="row"), "f")
    return made


def test_page_is_self_contained_and_has_every_node_and_edge(bundle: Bundle, findings: list[Finding]) -> None:
    subgraph = Retriever(bundle).retrieve(findings, "1")
    page = page_of(subgraph, bundle)
    tags = Tags()
    tags.feed(page)
    assert not re.search(r"https?://|\bsrc=|\bhref=|@import|url\(", page)
    assert {"link", "img", "iframe", "object"}.isdisjoint(tag for tag, _ in tags.seen)
    policy = next(a["content"] for tag, a in tags.seen if tag == "meta" and "content" in a and "http-equiv" in a)
    assert policy and "default-src 'none'" in policy and "unsafe" not in policy
    assert sum("data-node" in attributes for _, attributes in tags.seen) == len(subgraph.nodes)
    assert sum("data-ends" in attributes for _, attributes in tags.seen) == len(subgraph.edges)
    assert "Pedal edema" in page and "Congestive heart failure" in page


def test_every_box_lies_inside_and_none_on_another(bundle: Bundle, findings: list[Finding]) -> None:
    picture = picture_of(Retriever(bundle).retrieve(findings, "1"), {})
    places = {(box.x, box.y) for box in picture.boxes}
    assert len(places) == len(picture.boxes)
    assert all(x >= 0 and x + BOX <= WIDTH and 0 < y < picture.height for x, y in places)
    kinds = {box.id: box.kind for box in picture.boxes}
    assert kinds["HP:0001945"] == "denied" and kinds["CCS:108"] == "candidate" and kinds["CCS:2"] == "unreached"


def test_ids_and_names_are_escaped(bundle: Bundle, findings: list[Finding], monkeypatch: pytest.MonkeyPatch) -> None:
    bad = "<img src=x onerror=alert(1)>"
    subgraph = Retriever(bundle).retrieve(findings, bad)
    monkeypatch.setattr(Bundle, "name", lambda _, identifier: bad + identifier)
    page = page_of(subgraph, bundle, {"HP:0010741": [bad]})
    assert "<img" not in page and "&lt;img" in page


def test_text_of_the_note_only_where_asked(cohort: Cohort, bundle: Bundle, tmp_path: Path) -> None:
    retrieve_cohort(cohort, bundle)
    file = tmp_path / "one.html"
    (row,) = draw_admission(cohort, bundle, "1", file)
    assert row["nodes"] and "SECRET" not in file.read_text() and "swollen" not in file.read_text()
    draw_admission(cohort, bundle, "1", file, include_text=True)
    page = file.read_text()
    assert "swollen" in page and "<b>SECRET" not in page and "&lt;b&gt;SECRET" in page
    assert page.count("</script>") == 1


def test_an_admission_without_findings_is_flagged(cohort: Cohort, bundle: Bundle, tmp_path: Path) -> None:
    assert retrieve_cohort(cohort, bundle).without_findings == 1
    draw_admission(cohort, bundle, "2", tmp_path / "two.html")
    assert "candidate diseases stand alone" in (tmp_path / "two.html").read_text()
    with pytest.raises(InputError, match="no subgraph of admission 'nobody'"):
        draw_admission(cohort, bundle, "nobody", tmp_path / "three.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        draw_admission(cohort, bundle, "1", tmp_path / "file" / "x.html")
