"""How names are kept and looked up: caches, the search by whole words, misspellings, tokens."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kg.bundle import Bundle
from kg.link.match import Matcher
from kg.link.meanings import load_apart, take_apart
from kg.link.names import compile_names, known_words, load_names
from kg.link.search import NameSearch
from kg.link.spelling import Speller, one_edit_apart
from kg.link.words import cut

WORDS = st.text(alphabet="abé", min_size=1, max_size=3)
ROWS = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
SAID = """no cough fever dyspena dyspnea tachycadria Stroke MI non productive pain in abdomen chest and abdominal BP 82
/ 40 creatinine was elevated 3.1 lost 20 pounds . , ; history of mother family é İ ’s"""
PIECES = st.sampled_from([*SAID.split(), "\n", "\t", "  ", "\u2028"])


@given(phrases=st.lists(ROWS, max_size=12, unique=True), text=st.lists(WORDS, max_size=20))
def test_search_finds_every_phrase_of_whole_words_and_nothing_else(phrases: list[str], text: list[str]) -> None:
    search = NameSearch(phrases)
    found = search.find("".join(map(search.code, text)))
    expected = [
        (number, first, first + size - 1)
        for number, phrase in enumerate(phrases)
        for size in [phrase.count(" ") + 1]
        for first in range(len(text) - size + 1)
        if " ".join(text[first : first + size]) == phrase
    ]
    assert sorted(found) == sorted(expected)


@given(
    targets=st.lists(st.text(alphabet="abcß", min_size=4, max_size=9), max_size=20),
    word=st.text(alphabet="abcß", min_size=5, max_size=10),
)
def test_a_word_is_mended_to_the_only_target_that_is_one_edit_away(targets: list[str], word: str) -> None:
    mended = Speller(targets, frozenset()).mend(word)
    near = (
        {t for t in targets if len(t) > 4 and t[0] == word[0] and one_edit_apart(word, t)} if len(word) > 5 else set()
    )
    swapped = {t for t in near if sorted(t) == sorted(word)}
    expected = swapped if len(near) > 1 and swapped else near
    assert mended == (next(iter(expected)) if len(expected) == 1 else word)


def test_what_is_known_too_short_or_too_long_is_not_mended() -> None:
    speller = Speller(["dyspnea", "cough", "a" * 50], frozenset(("dyspnae",)))
    assert [speller.mend(w) for w in ("dyspnae", "couhg", "a" * 49, "dyspn3a", "zyspnea")] == [
        "dyspnae",
        "couhg",
        "a" * 49,
        "dyspn3a",
        "zyspnea",
    ]
    assert speller.mend("dyspena") == "dyspnea"


@given(st.text(alphabet="ab é'’-.\n\t _\u3000\x1c", max_size=60))
def test_a_token_ends_where_its_text_ends(text: str) -> None:
    words = cut(text)
    assert words.ends == [words.end(at) for at in range(len(words.lower))]
    for at, (start, end) in enumerate(zip(words.starts, words.ends, strict=True)):
        assert start < end <= (words.starts[at + 1] if at + 1 < len(words.starts) else len(text))
        assert words.raw(at, at) == text[start:end]
    between = set(range(len(text))) - {i for s, e in zip(words.starts, words.ends, strict=True) for i in range(s, e)}
    assert all(text[i].isspace() for i in between), "every letter belongs to a token"


@pytest.fixture(scope="module")
def copied(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    path: Path = tmp_path_factory.mktemp("copied") / "graph"
    shutil.copytree(bundle.path, path, ignore=shutil.ignore_patterns("index"))
    return Bundle.open(path)


@pytest.fixture(scope="module")
def matchers(copied: Bundle) -> tuple[Matcher, Matcher]:
    load_apart(copied, load_names(copied)[0])
    names, known = load_names(copied)
    fresh = Matcher(compile_names(copied), known_words(copied))
    return fresh, Matcher(names, known, load_apart(copied, ()))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(PIECES, max_size=30), between=st.sampled_from((" ", "", "  ")))
def test_a_matcher_from_the_cache_finds_what_a_compiled_one_finds(
    pieces: list[str], between: str, matchers: tuple[Matcher, Matcher]
) -> None:
    words = cut(between.join(pieces))
    fresh, cached = matchers
    found = fresh.find(words)
    assert found == cached.find(words) == fresh.find(words)
    assert all(a.last < b.first for a, b in pairwise(found))
    assert all(0 <= one.first <= one.last < len(words.lower) for one in found)


@pytest.mark.parametrize("name", ["names", "words", "parts"])
@pytest.mark.parametrize("damage", [b"", b"PAR1", None])
def test_a_damaged_cache_is_made_again_and_that_is_said(
    name: str, damage: bytes | None, copied: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    def load() -> tuple[object, ...]:
        names, known = load_names(copied)
        return names, known, load_apart(copied, names)

    whole = load()
    capsys.readouterr()
    assert load() == whole and capsys.readouterr().err == ""
    (path,) = copied.path.glob(f"index/{name}-*.parquet")
    raw = path.read_bytes()
    at = len(raw) // 2
    path.write_bytes(raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :] if damage is None else damage)
    assert load() == whole
    assert f"the index of {name} is damaged and is made again" in capsys.readouterr().err
    assert path.read_bytes() == raw
    assert load() == whole and capsys.readouterr().err == ""


def test_parts_are_kept_as_they_are_taken(copied: Bundle) -> None:
    names = load_names(copied)[0]
    assert load_apart(copied, names) == take_apart(names)
    assert load_apart(copied, ()) == take_apart(names)
