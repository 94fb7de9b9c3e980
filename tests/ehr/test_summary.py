from hypothesis import given
from hypothesis import strategies as st

from ehr.summary import KINDS, SummaryFacts, render_summary


def test_whole_summary() -> None:
    known = SummaryFacts(
        age=72.0,
        sex="F",
        admission_type="EW EMER.",
        admission_location="EMERGENCY ROOM",
        facts={
            "service": ["cardiology"],
            "unit": ["Coronary Care Unit (CCU)"],
            "drug": ["furosemide", "Furosemide ", "heparin"],
            "procedure": ["Arterial Line"],
            "specimen": ["URINE"],
            "organism": ["ESCHERICHIA COLI"],
        },
    )
    assert render_summary(known) == (
        "72-year-old woman. Admission type: emergency, from: emergency room. Service: cardiology. "
        "Intensive care unit: coronary care unit (ccu). Drugs in the first 24 hours: furosemide, heparin. "
        "Procedures in the first 24 hours: arterial line. Specimens taken: urine. Grown in culture: escherichia coli."
    )


def test_nothing_is_said_of_what_was_not_recorded() -> None:
    assert render_summary(SummaryFacts()) == ""
    assert render_summary(SummaryFacts(sex="M")) == "Man."
    assert render_summary(SummaryFacts(age=91.0, sex="M")) == "Man over 89 years."
    assert render_summary(SummaryFacts(age=0.0)) == "0-year-old person."
    assert render_summary(SummaryFacts(admission_location="INFORMATION NOT AVAILABLE")) == ""
    assert render_summary(SummaryFacts(age=50.0, facts={kind: [] for kind in KINDS})) == "50-year-old person."


@given(
    st.one_of(st.none(), st.floats(0, 110)),
    st.sampled_from(["F", "M", None, "U"]),
    st.dictionaries(st.sampled_from(KINDS), st.lists(st.text(max_size=12), max_size=60)),
)
def test_a_kind_without_facts_has_no_sentence(age, sex, facts) -> None:  # type: ignore[no-untyped-def]
    text = render_summary(SummaryFacts(age, sex, None, None, facts))
    for kind, lead in [
        ("drug", "Drugs"),
        ("procedure", "Procedures"),
        ("specimen", "Specimens"),
        ("organism", "Grown"),
    ]:
        if not any(item.strip(" .") for item in facts.get(kind, [])):
            assert lead not in text
    assert not any(word in text for word in ("no ", "not ", "normal")) or facts
