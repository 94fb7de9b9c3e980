"""A language model as teacher, at an endpoint or on this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from distill.teachers.answers import AnswerCache
from distill.teachers.graph import Case
from distill.teachers.openai import ChatClient, Endpoint, endpoint_from_environment
from distill.teachers.prompt import messages, read_answer, write_sheet
from distill.teachers.sentences import unexplained_sentence
from distill.types import Rationale, RationaleSentence
from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.privacy import may_leave

Ask = Callable[[list[dict[str, str]]], str]
"""Puts messages (``role``, ``content``) to a model and gives its answer."""


class ChatTeacher:
    """A language model as teacher: asks, keeps the answer, and lets pass what holds against the subgraph."""

    def __init__(self, name: str, ask: Ask, cache: AnswerCache, *, seed: int) -> None:
        self.name, self._ask, self._cache, self._seed = name, ask, cache, seed

    def explain(self, case: Case) -> tuple[Rationale, Counter[str]]:
        """Write the rationale of one admission, and count what was dropped and why."""
        sheet = write_sheet(case)
        counts: Counter[str] = Counter()
        rationale = Rationale(case.diseases, ())
        if sheet.findings:
            question = messages(sheet)
            key = question[-1]["content"]
            answer = self._cache.get(key)
            if answer is None:
                answer = self._ask(question)
                self._cache.put(key, answer)
            rationale, read = read_answer(answer, case, sheet)
            counts += read
        bare = [
            RationaleSentence("note", unexplained_sentence(case.names[d], self._seed, case.admission_id, d), disease=d)
            for d in case.diseases
            if d not in sheet.supports
        ]
        note = [s for s in rationale.sentences if s.part == "note"]
        lab = [s for s in rationale.sentences if s.part == "lab"]
        return Rationale(case.diseases, (*note, *bare, *lab)), counts


def need_endpoint(
    cohort: Cohort, teacher: str, model: str | None, base_url: str | None, *, allowed: bool
) -> Endpoint | None:
    """Give the endpoint that a teacher asks, None for one that needs none; refuse what cannot or may not be asked.

    Args:
        cohort: whose patients are told.
        teacher: ``openai`` asks an endpoint, ``hf`` a local model.
        model: name at the endpoint, or path of the local model.
        base_url: of the endpoint.
        allowed: the user has permission to send this cohort away.

    Raises:
        InputError: for a missing model or address, or a cohort that must not leave this machine.
    """
    endpoint = endpoint_from_environment(base_url, model) if teacher == "openai" else None
    if endpoint is not None:
        _may_leave(cohort, endpoint, allowed=allowed)
    if teacher == "hf" and not model:
        raise InputError("the teacher hf needs a model", remedy="give --model the path of a saved model")
    return endpoint


def _may_leave(cohort: Cohort, endpoint: Endpoint, *, allowed: bool) -> None:
    """Refuse to send patients away unless the endpoint is here, they are simulated, or the user has permission."""
    if not (endpoint.is_local or allowed or may_leave(cohort)):
        raise InputError(
            "this cohort's data use terms do not allow sending it to a machine that is not this one",
            where=cohort.path,
            remedy="use an endpoint on 127.0.0.1, or add --send-patients if you have permission",
        )


def client_of(endpoint: Endpoint | None, model: str | None, seed: int) -> Ask:
    """Give how an endpoint is asked, or, without one, the local model of that path."""
    if endpoint is not None:
        chat = ChatClient(endpoint)
        return lambda question: chat.ask(question, seed=seed)
    from distill.teachers.hf import LocalModel

    local = LocalModel(Path(model or ""))
    return lambda question: local.ask(question, seed=seed)
