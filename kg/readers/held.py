"""What an RDF file says of each of its subjects, gathered until its end; and names in the languages asked for."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path

from ehr.errors import InputError
from kg.readers.rdf import TYPE, Names, Node, Text, Triple, read_triples
from kg.readers.records import Reject

RDF_OPTIONS = {
    "lang": "languages of names, the first ones preferred (`fr,en`; by default `en`, `*` for all)",
    "namespace": "what the IRIs of the source's own concepts begin with, where their form does not tell the prefix",
}
"""Options that the readers of RDF share."""


class Said:
    """What was said of one subject: values by predicate, in the order of the file."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Sequence[Node]) -> None:
        self._values: dict[Node, list[Node]] = {}
        for at in range(0, len(pairs), 2):
            self._values.setdefault(pairs[at], []).append(pairs[at + 1])

    def all(self, *predicates: str) -> list[Node]:
        """Give the values of some predicates, those of the first ones first."""
        return [value for predicate in predicates for value in self._values.get(predicate, ())]

    def iris(self, *predicates: str) -> list[str]:
        """Give those values that are IRIs or blank nodes."""
        return [value for value in self.all(*predicates) if isinstance(value, str)]

    def texts(self, *predicates: str) -> list[Text]:
        """Give those values that are literals, each text once a language, empty ones left out."""
        found = (value for value in self.all(*predicates) if isinstance(value, Text))
        return list(dict.fromkeys(text for text in found if text.text.strip()))

    def first(self, *predicates: str) -> str:
        """Give the first value as text, an IRI as such; empty where there is none."""
        for value in self.all(*predicates):
            return value if isinstance(value, str) else value.text.strip()
        return ""


class Held:
    """Triples by subject, held as flat lists of predicate and value: a fraction of what an indexed graph takes."""

    def __init__(self, triples: Iterable[Triple]) -> None:
        self._pairs: dict[str, list[Node]] = {}
        shared: dict[str, str] = {}  # the same IRI is one string, however often it occurs
        for subject, predicate, value in triples:
            held = self._pairs.get(subject)
            if held is None:
                held = self._pairs[shared.setdefault(subject, subject)] = []
            held.append(shared.setdefault(predicate, predicate))
            held.append(shared.setdefault(value, value) if isinstance(value, str) else value)

    def __len__(self) -> int:
        return len(self._pairs)

    def subjects(self) -> list[str]:
        """Give the subjects in the order of the file."""
        return list(self._pairs)

    def of(self, subject: str) -> Said:
        """Give what was said of a subject; nothing for one that is none."""
        return Said(self._pairs.get(subject, ()))

    def drop(self, subject: str) -> None:
        """Forget a subject that is done with."""
        self._pairs.pop(subject, None)

    def typed(self, kind: str) -> Iterator[tuple[str, Said]]:
        """Yield the subjects of a type."""
        for subject, pairs in self._pairs.items():
            if kind in pairs and kind in (said := Said(pairs)).all(TYPE):
                yield subject, said


class Languages:
    """Which languages names are taken in, the first ones preferred; text without a language fits always.

    Args:
        wanted: tags such as ``en``, which stands for ``en-GB`` too; ``*`` stands for every language.
    """

    def __init__(self, wanted: Sequence[str]) -> None:
        self.wanted = tuple(dict.fromkeys(one.strip().lower() for one in wanted if one.strip())) or ("en",)

    def _rank(self, language: str) -> int:
        for rank, one in enumerate(self.wanted):
            if one == "*" or language == one or language.startswith(f"{one}-"):
                return rank
        return len(self.wanted) + bool(language)

    def best(self, texts: Sequence[Text]) -> Text | None:
        """Give the text to be named by: in a wanted language, else without language, else any."""
        return min(texts, key=lambda text: self._rank(text.language), default=None)

    def accepted(self, texts: Iterable[Text], name: Text | None) -> list[str]:
        """Give the texts in a wanted language or in none; those in the name's language too."""
        spoken = name.language if name is not None else ""
        return [one.text for one in texts if one.language == spoken or self._rank(one.language) <= len(self.wanted)]


def gather(path: Path, wanted: Container[str]) -> tuple[Held, list[Reject]]:
    """Read a file's triples of the wanted predicates; lines that are no triple come as rejects.

    Raises:
        InputError: see `kg.readers.rdf.read_triples`.
    """
    rejects: list[Reject] = []

    def triples() -> Iterator[Triple]:
        for one in read_triples(path, wanted):
            if isinstance(one, Reject):
                rejects.append(one)
            else:
                yield one

    return Held(triples()), rejects


def names(path: Path, namespace: str, prefixes: frozenset[str]) -> Names:
    """Give how IRIs become ids, with the namespace that a user names.

    Raises:
        InputError: where a namespace comes without exactly one prefix.
    """
    if namespace and len(prefixes) != 1:
        raise InputError("option namespace needs exactly one prefix", where=path, remedy="add ?prefix=NAME")
    return Names(namespace, next(iter(prefixes), "") if namespace else "")


def spelled(local: str) -> str:
    """Give a readable name out of the last part of an IRI, where it is a word and no number.

    >>> spelled("http://example.org/onto#Heart_Disease"), spelled("http://purl.obolibrary.org/obo/HP_0001945")
    ('Heart Disease', '')
    """
    last = local[max(local.rfind("#"), local.rfind("/"), local.rfind(":")) + 1 :]
    return "" if any(c.isdigit() for c in last) else " ".join(last.replace("_", " ").split())
