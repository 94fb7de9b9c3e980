"""Decoding: in the list of diseases only labels' names can be written, and no text runs in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from distill.rationale import HEADINGS, NO_DISEASE


class DiseaseListConstraint(LogitsProcessor):
    """Allows, after the heading of the diseases, names of labels between semicolons, each once, then a full stop.

    Works on token ids alone, so it holds for any tokenizer. Before the heading everything is allowed; after the full
    stop everything again, or the end alone where the list stands last (``order="rationale_first"``).
    """

    def __init__(self, tokenizer: Any, names: Mapping[str, str], *, lower: bool, last: bool = False) -> None:
        """Cut heading, names and marks into tokens.

        Args:
            tokenizer: of the language model.
            names: label ids to names.
            lower: the tokenizer writes lower case alone.
            last: the list of diseases ends the text.
        """
        self.finish = {tokenizer.eos_token_id} if last else None

        def cut(text: str) -> tuple[int, ...]:
            return tuple(tokenizer(text.lower() if lower else text, add_special_tokens=False)["input_ids"])

        heading = HEADINGS["diseases"]
        self.heading = cut(heading)
        self.names = [self._after(cut, heading, f" {name}") for name in (*names.values(), NO_DISEASE)]
        self.none = len(self.names) - 1
        self.between = self._after(cut, next(iter(names.values())), ";")
        self.end = self._after(cut, next(iter(names.values())), ".")

    @staticmethod
    def _after(cut: Any, before: str, text: str) -> tuple[int, ...]:
        """Give the tokens of ``text`` as they come after ``before``."""
        head, whole = cut(before), cut(before + text)
        return tuple(whole[len(head) :]) if whole[: len(head)] == head else tuple(cut(text.strip()))

    def allowed(self, written: Sequence[int]) -> set[int] | None:
        """Give the tokens that may come next, None for any."""
        start = self._list_start(written)
        if start is None:
            return None
        rest = tuple(written[start:])
        used: set[int] = set()
        while True:
            whole = [i for i, name in enumerate(self.names) if rest[: len(name)] == name and i not in used]
            if not whole:
                return {n[len(rest)] for i, n in enumerate(self.names) if self._open(i, used, n, rest)}
            found = max(whole, key=lambda i: len(self.names[i]))
            after = rest[len(self.names[found]) :]
            full = len((used | {found}) - {self.none}) == self.none
            marks = (self.end,) if found == self.none or full else (self.between, self.end)
            ended = next((mark for mark in marks if after[: len(mark)] == mark), None)
            if ended is None:
                longer = {n[len(rest)] for i, n in enumerate(self.names) if self._open(i, used, n, rest)}
                return longer | {mark[len(after)] for mark in marks if mark[: len(after)] == after}
            if ended == self.end:
                return self.finish
            used |= {found, self.none}
            rest = after[len(ended) :]

    @staticmethod
    def _open(index: int, used: set[int], name: tuple[int, ...], rest: tuple[int, ...]) -> bool:
        return index not in used and len(name) > len(rest) and name[: len(rest)] == rest

    def _list_start(self, written: Sequence[int]) -> int | None:
        size = len(self.heading)
        for start in range(len(written) - size, -1, -1):
            if tuple(written[start : start + size]) == self.heading:
                return start + size
        return None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Forbid what may not come next, for each row ``(rows, vocabulary)``."""
        for row, written in enumerate(input_ids.tolist()):
            allowed = self.allowed(written)
            if allowed:
                kept = torch.tensor(sorted(allowed), device=scores.device)
                values = scores[row, kept].clone()
                scores[row] = float("-inf")
                scores[row, kept] = values
        return scores


class NoLoops(LogitsProcessor):
    """Forbids the token that would repeat at once what was just written: "chest pain and chest pain and".

    A small model that reads greedily falls into such loops and never ends its text. What is said again later, after
    something else, is allowed. The list of diseases is left to `DiseaseListConstraint`.
    """

    def __init__(self, diseases: DiseaseListConstraint, longest: int = 24) -> None:
        """Take the constraint that knows where the list stands, and the longest repetition to look for, in tokens."""
        self.diseases = diseases
        self.longest = longest

    def forbidden(self, written: Sequence[int]) -> set[int]:
        """Give the tokens that would complete a repetition of two tokens or more."""
        if self.diseases.allowed(written) is not None:  # inside the list
            return set()
        found = set()
        for size in range(2, min(self.longest, (len(written) + 1) // 2) + 1):
            if written[-(size - 1) :] == written[-(2 * size - 1) : -size]:
                found.add(written[-size])
        return found

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Forbid what would loop, for each row ``(rows, vocabulary)``."""
        for row, written in enumerate(input_ids.tolist()):
            for token in self.forbidden(written):
                scores[row, token] = float("-inf")
        return scores
