"""The text of a rationale: what the student learns to write, and how it is read back and checked.

The form follows the paper (section 3, "Output")::

    ### Rationale: Melena points to gastrointestinal hemorrhage. ### Lab: Low hemoglobin fits gastrointestinal
    hemorrhage. ### Disease Diagnosed: gastrointestinal hemorrhage; shock.

Diseases stand apart by semicolons, since several of the 25 names hold commas.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from distill.types import Rationale, RationaleSentence
from kg.types import Finding, PatientSubgraph
from kg.vocabulary import Predicate

Order = Literal["rationale_first", "diagnosis_first"]

PARTS = ("note", "lab")
HEADINGS = {"note": "### Rationale:", "lab": "### Lab:", "diseases": "### Disease Diagnosed:"}
NO_DISEASE = "none"

_HEADING = re.compile(
    r"(?:#\s*)+(?:(?P<note>(?:note\s+)?rationale)|(?P<lab>labs?(?:\s+rationale)?)"
    r"|(?P<diseases>(?:diseases?\s+diagnosed|diagnos[ei]s)))\s*:",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_INNER_END = re.compile(r"[.!?]+(?=\s)")
_MEASUREMENT = re.compile(r"\s*\([^()]*\d[^()]*\)")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class ParsedRationale(Rationale):
    """A rationale read back from generated text, with what could not be read.

    Attributes:
        unknown: names in the list of diseases that are no label's name, as they were written.
        repeated: how many diseases were named more than once.
        well_formed: True where headings stand as `format_target` writes them and the diseases are closed by a
            full stop (text that was cut off is not).
    """

    unknown: tuple[str, ...] = ()
    repeated: int = 0
    well_formed: bool = True


@dataclass(frozen=True, slots=True)
class ToldSentence(RationaleSentence):
    """A sentence of a diagnosis that says where it comes from.

    Attributes:
        origin: ``generated`` by the student, or ``graph`` where it was written from attended findings and relations.
        sound: False for a generated sentence that findings and subgraph of the patient do not bear out.
    """

    origin: str = "graph"
    sound: bool = True


def normalise_name(name: str) -> str:
    """Give a label's name as bare words: NFKC, case folded, without punctuation, one space between words."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", name).casefold()))


def canonical_sentence(text: str) -> str:
    """Give ``text`` as one sentence that ends with a full stop and holds no heading mark; empty stays empty."""
    text = " ".join(text.replace("#", " ").split())
    text = _INNER_END.sub(";", text).strip(" .;,!?")
    return f"{text}." if text else ""


def _name_table(names: Mapping[str, str]) -> dict[str, str]:
    table: dict[str, str] = {}
    for identifier, name in names.items():
        key = normalise_name(name)
        if not key or ";" in name or "#" in name or key == NO_DISEASE:
            raise ValueError(f"label {identifier}: the name {name!r} cannot stand in a target text")
        if table.setdefault(key, identifier) != identifier:
            raise ValueError(f"labels {table[key]} and {identifier} have the same name after normalisation")
    return table


# --- writing -----------------------------------------------------------------------------------------------------


def _words(text: str) -> int:
    return len(text.split())


def _choose(sentences: Sequence[RationaleSentence], texts: Sequence[str], parts: Sequence[str], room: int) -> set[int]:
    """Choose the sentences that fit into ``room`` words.

    Each disease gets its first sentence before any gets a second, note and lab part share the room evenly, and
    sentences without evidence come last.
    """
    queues: dict[str, list[tuple[tuple[int, int, int], int]]] = {part: [] for part in parts}
    seen: dict[tuple[str, str | None], int] = {}
    for index, (sentence, text) in enumerate(zip(sentences, texts, strict=True)):
        if sentence.part not in queues or not text:
            continue
        key = (sentence.part, sentence.disease)
        bare = int(not sentence.findings and not sentence.statements)
        queues[sentence.part].append(((bare, seen.get(key, 0), index), index))
        seen[key] = seen.get(key, 0) + 1
    waiting = {part: [index for _, index in sorted(queue)] for part, queue in queues.items()}
    used = dict.fromkeys(parts, 0)
    chosen: set[int] = set()
    while any(waiting.values()):
        part = min((p for p in parts if waiting[p]), key=lambda p: (used[p], parts.index(p)))
        index = waiting[part].pop(0)
        if (length := _words(texts[index])) <= room:
            room -= length
            used[part] += length
            chosen.add(index)
    return chosen


def format_target(
    rationale: Rationale,
    names: Mapping[str, str],
    *,
    order: Order = "rationale_first",
    parts: Sequence[str] = PARTS,
    values: bool = False,
    max_words: int | None = 60,
) -> str:
    """Write a rationale as the text that a student learns to generate.

    Args:
        rationale: diseases (phenotype ids) and sentences.
        names: phenotype id to name, as for `parse_output`.
        order: whether the reasons stand before the diseases (so that they can inform them) or after.
        parts: which parts stand in the text: stage 1 asks for ``("note",)``, stage 2 for ``("lab",)``.
        values: keep measured values in brackets ("(3.1 mg/dL at hour 6)"). Left out by default: digits cost a small
            model most of its room, and a number that it makes up would look like a measurement.
        max_words: leave out whole sentences beyond about so many words, counted over the text (None: keep all); the
            diseases always stay whole. 60 words are about 80 tokens of a tokenizer trained on such text.

    Returns:
        One line of text; parts without a sentence are left out, no disease is written ``none``.

    Raises:
        ValueError: for a disease without a name, an unknown part, or names that cannot be told apart.
    """
    _name_table(names)
    if unknown := [disease for disease in rationale.diseases if disease not in names]:
        raise ValueError(f"no name for {', '.join(unknown)}")
    if wrong := [part for part in parts if part not in PARTS]:
        raise ValueError(f"unknown part {wrong[0]!r}, expected one of {PARTS}")
    listed = "; ".join(" ".join(names[disease].split()).rstrip(".") for disease in rationale.diseases) or NO_DISEASE
    diagnosis = f"{HEADINGS['diseases']} {listed}."
    texts = [canonical_sentence(s.text if values else _MEASUREMENT.sub("", s.text)) for s in rationale.sentences]
    room = 10**9 if max_words is None else max_words - _words(diagnosis) - sum(_words(HEADINGS[p]) for p in parts)
    chosen = _choose(rationale.sentences, texts, tuple(parts), room)
    sections = []
    for part in parts:
        kept = [texts[i] for i, sentence in enumerate(rationale.sentences) if i in chosen and sentence.part == part]
        if kept:
            sections.append(f"{HEADINGS[part]} {' '.join(kept)}")
    ordered = [*sections, diagnosis] if order == "rationale_first" else [diagnosis, *sections]
    return " ".join(ordered)


# --- reading -----------------------------------------------------------------------------------------------------


def _read_diseases(text: str, table: Mapping[str, str]) -> tuple[list[str], list[str], int]:
    """Give ids in the order named, unknown names, and how many were repeated."""
    found: list[str] = []
    unknown: list[str] = []
    repeated = 0

    def take(identifier: str) -> None:
        nonlocal repeated
        if identifier in found:
            repeated += 1
        else:
            found.append(identifier)

    for piece in re.split(r"[;\n]", text):
        chunks = piece.split(",")
        start = 0
        while start < len(chunks):
            for end in range(len(chunks), start, -1):
                key = normalise_name(",".join(chunks[start:end]))
                identifier = table.get(key) or table.get(key.removeprefix("and "))
                if identifier is not None:
                    take(identifier)
                    start = end
                    break
            else:
                key = normalise_name(chunks[start])
                if key and key != NO_DISEASE:
                    unknown.append(" ".join(chunks[start].split()).strip(" ."))
                start += 1
    return found, unknown, repeated


def named_diseases(text: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """Give the phenotype ids whose names stand in ``text`` (longest match first, no overlaps), sorted by place."""
    words = normalise_name(text).split()
    table = sorted(((key.split(), value) for key, value in _name_table(names).items()), key=lambda e: -len(e[0]))
    taken = [False] * len(words)
    found: list[tuple[int, str]] = []
    for key, identifier in table:
        size = len(key)
        for start in range(len(words) - size + 1):
            if words[start : start + size] == key and not any(taken[start : start + size]):
                taken[start : start + size] = [True] * size
                found.append((start, identifier))
    return tuple(dict.fromkeys(identifier for _, identifier in sorted(found)))


def _read_sentences(text: str, part: str, names: Mapping[str, str]) -> list[RationaleSentence]:
    sentences = []
    for piece in _SENTENCE_END.split(text):
        if sentence := canonical_sentence(piece):
            mentioned = named_diseases(sentence, names)
            disease = mentioned[0] if len(mentioned) == 1 else None
            sentences.append(RationaleSentence(part=part, text=sentence, disease=disease))
    return sentences


def parse_output(text: str, names: Mapping[str, str]) -> ParsedRationale:
    """Read generated text back; never fails on bad text.

    Diseases are matched exactly to the labels' names after `normalise_name`; whatever matches none is kept in
    ``unknown``. Text before any heading counts as the note part. A sentence gets the disease that it names, where it
    names one alone; evidence ids are not part of the text.

    Args:
        text: what a model wrote; lower case and loose spacing are read too.
        names: phenotype id to name.

    Returns:
        The rationale: for text of `format_target`, its diseases and its sentences, note part first.
    """
    table = _name_table(names)
    matches = list(_HEADING.finditer(text))
    kinds = [match.lastgroup or "" for match in matches]
    blocks = [("", text[: matches[0].start()] if matches else text)]
    for index, match in enumerate(matches):
        end = matches[index + 1].start() if index + 1 < len(matches) else len(text)
        blocks.append((kinds[index], text[match.end() : end]))
    diseases: list[str] = []
    unknown: list[str] = []
    repeated = 0
    sentences: dict[str, list[RationaleSentence]] = {part: [] for part in PARTS}
    closed = False
    for kind, block in blocks:
        if kind == "diseases":
            listed, strange, twice = _read_diseases(block, table)
            repeated += twice + sum(disease in diseases for disease in listed)
            diseases.extend(disease for disease in listed if disease not in diseases)
            unknown.extend(strange)
            closed = block.rstrip().endswith(".")
        elif block.strip():
            part = kind or "note"
            sentences[part].extend(_read_sentences(block, part, names))
    inner = [kind for kind in kinds if kind != "diseases"]
    at_edge = kinds.count("diseases") == 1 and "diseases" in (kinds[0], kinds[-1])
    well_formed = at_edge and closed and inner == [p for p in PARTS if p in inner] and not blocks[0][1].strip()
    return ParsedRationale(
        diseases=tuple(diseases),
        sentences=tuple(sentences["note"] + sentences["lab"]),
        unknown=tuple(unknown),
        repeated=repeated,
        well_formed=well_formed,
    )


def canonical(rationale: Rationale, *, parts: Iterable[str] = PARTS, values: bool = True) -> Rationale:
    """Give the rationale as its text carries it: no evidence ids, sentences in canonical form, part by part."""
    kept: Collection[str] = tuple(parts)
    sentences = []
    for part in (p for p in PARTS if p in kept):
        for sentence in rationale.sentences:
            text = canonical_sentence(sentence.text if values else _MEASUREMENT.sub("", sentence.text))
            if sentence.part == part and text:
                sentences.append(RationaleSentence(part=part, text=text))
    return Rationale(diseases=tuple(dict.fromkeys(rationale.diseases)), sentences=tuple(sentences))


# --- checking ----------------------------------------------------------------------------------------------------

_HIGH = {Predicate.HAS_HIGH_MEASUREMENT, Predicate.HIGH_INDICATES}
_LOW = {Predicate.HAS_LOW_MEASUREMENT, Predicate.LOW_INDICATES}
_NUMBER = re.compile(r"(?<![\w.,])-?\d+(?:\.\d+)?(?![\w]*[-/^]?\d)")
_ORIGINS = {"note": ("note", "medication"), "lab": ("lab", "vital")}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one sentence of a rationale.

    ``kind`` is ``part``, ``disease``, ``no_evidence``, ``finding``, ``state``, ``statement``, ``no_path``,
    ``direction``, ``normal``, ``number`` or ``other_disease``; ``detail`` names ids, never text.
    """

    sentence: int
    kind: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Link:
    ends: tuple[str, str]
    predicate: Predicate | None


def _links(subgraph: PatientSubgraph) -> dict[str, list[_Link]]:
    links: dict[str, list[_Link]] = {}
    for edge in subgraph.edges:
        ends = (subgraph.nodes[edge.source], subgraph.nodes[edge.target])
        links.setdefault(edge.statement, []).append(_Link(ends, edge.predicate))
    for path in subgraph.paths:
        for one, other, statement in zip(path.nodes, path.nodes[1:], path.statements, strict=False):
            links.setdefault(statement, []).append(_Link((one, other), None))
    return links


def _reach(starts: set[str], links: Sequence[_Link]) -> set[str | None]:
    reached: set[str | None] = {*starts}
    while more := {end for link in links for end in link.ends if reached & set(link.ends)} - reached:
        reached |= more
    return reached


def _check_evidence(
    sentence: RationaleSentence, known: Mapping[str, Sequence[Finding]], links: Mapping[str, list[_Link]]
) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with the ids of one sentence."""
    history = "history" in sentence.text.casefold() or "past " in sentence.text.casefold()
    used = [link for statement in sentence.statements for link in links.get(statement, ())]
    for statement in sentence.statements:
        if statement not in links:
            yield "statement", statement
    if sentence.findings and not sentence.statements:
        yield "no_evidence", ",".join(sentence.findings)
    if sentence.statements and not sentence.findings:
        yield "no_evidence", ",".join(sentence.statements)
    for concept in sentence.findings:
        mine = [f for f in known.get(concept, ()) if f.origin in _ORIGINS[sentence.part]]
        if not mine:
            yield "finding", concept
            continue
        if not any(f.present or (history and (f.historical or f.family) and not f.negated) for f in mine):
            yield "state", concept
        anchors = {concept, *(f.code for f in mine if f.code)}
        if sentence.statements and sentence.disease not in _reach(anchors, used):
            yield "no_path", concept
        directions = {f.direction for f in mine if f.direction}
        near = {link.predicate for link in used if anchors & set(link.ends)}
        if directions and ((near & _HIGH and "high" not in directions) or (near & _LOW and "low" not in directions)):
            yield "direction", concept


def _check_text(
    sentence: RationaleSentence,
    known: Mapping[str, Sequence[Finding]],
    links: Mapping[str, list[_Link]],
    names: Mapping[str, str],
) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with the words of one sentence."""
    findings = [f for concept in sentence.findings for f in known.get(concept, ())]
    values = [abs(v) for f in findings for v in (f.value, f.hours) if v is not None]
    told = sentence.text.replace("×10³", " ").replace("10*3", " ")
    for name in (names[c] for f in findings for c in (f.concept, f.code) if c is not None and c in names):
        told = re.sub(re.escape(name), " ", told, flags=re.IGNORECASE)
    for number in _NUMBER.findall(told):
        # Rounding to the digits that were written is allowed, nothing else.
        decimals = len(number.partition(".")[2])
        if not any(abs(value - abs(float(number))) <= 0.501 * 10**-decimals for value in values):
            yield "number", number
    words = normalise_name(sentence.text).split()
    if "normal" in words and sentence.part == "lab":
        yield "normal", ""
    if sentence.part == "lab" and (directions := {f.direction for f in findings if f.direction}):
        for word, opposite in (("high", "low"), ("low", "high")):
            if word in words and word not in directions and opposite in directions:
                yield "direction", word
    listed = {identifier: name for identifier, name in names.items() if identifier.startswith("CCS:")}
    cited = {normalise_name(names[c]) for c in sentence.findings if c in names}
    between = {end for statement in sentence.statements for link in links.get(statement, ()) for end in link.ends}
    for disease in named_diseases(sentence.text, listed) if listed else ():
        other = disease != sentence.disease and disease not in between
        if other and not any(normalise_name(listed[disease]) in name for name in cited):
            yield "other_disease", disease


def verify(
    rationale: Rationale,
    findings: Sequence[Finding],
    subgraph: PatientSubgraph,
    names: Mapping[str, str] | None = None,
) -> list[Problem]:
    """Check that every sentence of a rationale rests on this patient's findings and subgraph.

    Each sentence's finding must be the patient's, present (or said to be history) and of an origin that fits the part;
    each statement must stand in the subgraph; the statements must lead from each finding to the sentence's disease;
    high stays high and low stays low; numbers must be measured ones; labs are never called normal. A sentence
    without any evidence id makes no claim from the graph and passes only these last checks of its words.

    Args:
        rationale: with evidence ids.
        findings: all findings of the admission.
        subgraph: of the same admission.
        names: concept id to name (phenotypes included); gives the checks of the words, left out without it.

    Returns:
        The problems, by sentence; empty for a sound rationale.
    """
    known: dict[str, list[Finding]] = {}
    for finding in findings:
        known.setdefault(finding.concept, []).append(finding)
    links = _links(subgraph)
    problems: list[Problem] = []
    for index, sentence in enumerate(rationale.sentences):
        if sentence.part not in PARTS:
            problems.append(Problem(index, "part", sentence.part))
            continue
        if sentence.disease is None or sentence.disease not in rationale.diseases:
            problems.append(Problem(index, "disease", sentence.disease or ""))
        problems += [Problem(index, *found) for found in _check_evidence(sentence, known, links)]
        if names is not None:
            problems += [Problem(index, *found) for found in _check_text(sentence, known, links, names)]
    return problems
