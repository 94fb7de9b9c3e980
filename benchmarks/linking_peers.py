"""Peers of the linker, run by the Python of an environment of their own: plain phrases, negspaCy, medspaCy.

    python benchmarks/linking_peers.py phrases|negspacy|medspacy IN.json OUT.json

``IN.json`` holds ``texts`` (by note), ``names`` (phrase and concept, best first) and ``others``, texts that are read
once before. Each line on standard input is answered by one on standard output: ``load`` when everything is loaded,
``read`` by the CPU seconds that reading all texts took, ``write`` once ``OUT.json`` has the mentions by note, as lists
of start, end, concept and flags. Each peer is used as its own manual shows it, with its rules as they come.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def phrase_entities(nlp: Any, names: list[list[str]]) -> None:
    """Add a component that marks the longest names as entities, by spaCy's own phrase matcher."""
    from spacy.language import Language
    from spacy.matcher import PhraseMatcher
    from spacy.tokens import Span
    from spacy.util import filter_spans

    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    for phrase, concept in names:
        matcher.add(concept, [nlp.make_doc(phrase)])

    @Language.component("names")
    def mark(doc: Any) -> Any:
        found = [Span(doc, first, last, label=key) for key, first, last in matcher(doc)]
        doc.ents = filter_spans(found)
        return doc

    nlp.add_pipe("names")


def phrases(names: list[list[str]]) -> tuple[Any, Any]:
    import spacy

    nlp = spacy.blank("en")
    phrase_entities(nlp, names)
    return nlp, lambda entity: []


def negspacy(names: list[list[str]]) -> tuple[Any, Any]:
    import spacy
    from negspacy.negation import Negex  # noqa: F401  (registers the component)

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    phrase_entities(nlp, names)
    nlp.add_pipe("negex")
    return nlp, lambda entity: ["negated"] if entity._.negex else []


def medspacy(names: list[list[str]]) -> tuple[Any, Any]:
    import medspacy as package
    from medspacy.ner import TargetRule

    nlp = package.load(medspacy_enable=["medspacy_pyrush", "medspacy_target_matcher", "medspacy_context"])
    rules = [TargetRule(literal=phrase, category=concept) for phrase, concept in names]
    nlp.get_pipe("medspacy_target_matcher").add(rules)

    def flags(entity: Any) -> list[str]:
        said = {
            "negated": entity._.is_negated,
            "historical": entity._.is_historical,
            "hypothetical": entity._.is_hypothetical or entity._.is_uncertain,
            "family": entity._.is_family,
        }
        return [flag for flag, holds in said.items() if holds]

    return nlp, flags


def main() -> None:
    which, source, target = sys.argv[1:]
    data = json.loads(Path(source).read_text())
    nlp, flags = {"phrases": phrases, "negspacy": negspacy, "medspacy": medspacy}[which](data["names"])
    for text in ["No chest pain.", *data["others"]]:
        nlp(text)
    answers, documents = sys.stdout, {}
    for line in sys.stdin:
        answer = "done"
        if line.strip() == "read":
            began = time.process_time()
            documents = {note: nlp(text) for note, text in data["texts"].items()}
            answer = str(time.process_time() - began)
        elif line.strip() == "write":
            mentions = {
                note: [[entity.start_char, entity.end_char, entity.label_, flags(entity)] for entity in document.ents]
                for note, document in documents.items()
            }
            Path(target).write_text(json.dumps(mentions))
        print(answer, file=answers, flush=True)


if __name__ == "__main__":
    main()
