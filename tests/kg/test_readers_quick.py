from __future__ import annotations

from dataclasses import dataclass, field, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg.readers.quick import quick
from kg.readers.records import Fact, Mapping, Reject
from kg.types import Concept, Evidence, Statement, Synonym
from kg.vocabulary import Category, Predicate

text = st.text(max_size=5)
made = st.one_of(
    st.builds(Mapping, text, text, text),
    st.builds(Reject, text, text),
    st.builds(Synonym, text, text, text),
    st.builds(Statement, text, st.sampled_from(Predicate), text, st.booleans()),
    st.builds(Concept, text, st.sampled_from(Category), text, text, deprecated=st.booleans()),
    st.builds(Evidence, text, text, text, publications=st.tuples(text), note=text),
    st.builds(
        Fact, st.builds(Statement, text, st.sampled_from(Predicate), text), st.builds(Evidence, text, text, text)
    ),
)


@given(made)
def test_it_makes_what_the_class_makes(one: object) -> None:
    values = {f.name: getattr(one, f.name) for f in fields(one)}  # type: ignore[arg-type]
    make = quick(type(one))
    for other in (make(*values.values()), make(**values)):
        assert other == one
        assert hash(other) == hash(one)
        assert type(other) is type(one)
        with pytest.raises(AttributeError):
            setattr(other, next(iter(values)), "x")


def test_defaults_and_missing_values_are_those_of_the_class() -> None:
    assert quick(Evidence)("S1", "s", "v") == Evidence("S1", "s", "v")
    with pytest.raises(TypeError):
        quick(Evidence)("S1")  # type: ignore[call-arg]


@dataclass(frozen=True, slots=True)
class Factory:
    values: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Slotless:
    value: str


@dataclass(frozen=True, slots=True)
class Checking:
    value: str

    def __post_init__(self) -> None:
        assert self.value


@pytest.mark.parametrize("kind", [Factory, Slotless, Checking, str])
def test_classes_that_do_more_are_refused(kind: type) -> None:
    with pytest.raises(TypeError):
        quick(kind)
