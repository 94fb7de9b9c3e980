from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from distill.data import read_rationales
from distill.rationale import verify
from distill.teachers import concept_names, teach
from distill.teachers.answers import AnswerCache
from distill.teachers.graph import Case
from distill.teachers.openai import ChatClient, Endpoint, endpoint_from_environment
from distill.teachers.prompt import messages, read_answer, write_sheet
from ehr.errors import ClinRaGenError, InputError
from kg.link import findings_of
from kg.retrieve import subgraphs_of
from tests.distill.rationale_cases import BLEED, FINDINGS, KIDNEY, MELENA, NAMES, PRESSURE, A, subgraph
from tests.distill.tiny_cohort import tiny_cohort

CASE = Case(A, (BLEED, KIDNEY, PRESSURE), FINDINGS, subgraph(), NAMES)


class Server(ThreadingHTTPServer):
    """Speaks the chat protocol on loopback; answers each question from its own list of relations."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict] = []
        self.keys: list[str | None] = []
        self.failures: list[int] = []
        self.limit: int | None = None
        self.raw: bytes | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


def told(question: str) -> str:
    """Answer as a teacher would: one sentence a diagnosis from the first finding that a relation ties to it."""
    diseases = dict(re.findall(r"^(D\d+): (.+)$", question, re.M))
    findings = re.findall(r"^(F\d+) \((note|lab)\): (.+)$", question, re.M)
    relations = re.findall(r"^(R\d+): (.+)$", question, re.M)
    answer = []
    for key, disease in diseases.items():
        for finding, part, name in findings:
            for relation, text in relations:
                if disease in text and name.split(" (")[0].lower() in text.lower():
                    item = {"part": part, "disease": key, "findings": [finding], "relations": [relation]}
                    answer.append({**item, "text": f"{name.capitalize()} speaks for {disease}."})
                    break
    return "Here it is:\n```json\n" + json.dumps(answer) + "\n```"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self.server.keys.append(self.headers.get("Authorization"))
        spent = self.server.limit is not None and len(self.server.requests) > self.server.limit
        status = 401 if spent else self.server.failures.pop(0) if self.server.failures else 200
        content = told(body["messages"][-1]["content"]) if body["messages"] else ""
        answer = {"choices": [{"message": {"role": "assistant", "content": content}}]}
        data = self.server.raw if self.server.raw is not None else json.dumps(answer).encode()
        self.send_response(status)
        if status in (301, 307):
            self.send_header("Location", "http://127.0.0.1:9/v1")
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def client(server: Server, **changes: object) -> ChatClient:
    return ChatClient(Endpoint(server.url, "m", **{"wait": 0.01, "attempts": 3, "timeout": 5.0, **changes}))  # type: ignore[arg-type]


def test_an_endpoint_writes_a_cohorts_rationales(
    tiny_world: tuple, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, _ = tiny_world
    cohort = tiny_cohort(tmp_path / "cohort", admissions=12)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-of-a-test")
    server.limit = 5
    with pytest.raises(InputError, match="HTTP 401") as caught:
        teach(cohort, bundle, teacher="openai", model="m", base_url=server.url)
    assert "secret" not in str(caught.value) and "set OPENAI_API_KEY" in str(caught.value)
    server.limit = None
    answered = sum((cohort.path / "answers" / "openai.jsonl").read_text().count(word) for word in ('"answer"',))
    before = len(server.requests)
    counts = teach(cohort, bundle, teacher="openai", model="m", base_url=server.url)
    # What was answered before the failure is not asked again.
    assert answered >= 1 and len(server.requests) - before == 12 - answered
    assert set(server.keys) == {"Bearer secret-of-a-test"}
    findings, subgraphs, names = findings_of(cohort), subgraphs_of(cohort), concept_names(bundle)
    rationales = read_rationales(cohort)
    for key, rationale in rationales.items():
        assert verify(rationale, findings[key], subgraphs[key], names) == []
    assert counts["note_sentences"] == counts["diagnoses"] > 0
    assert (cohort.path / "answers" / "openai.jsonl").stat().st_mode & 0o077 == 0
    assert "secret" not in (cohort.path / "answers" / "openai.jsonl").read_text()
    cohort.table_path("rationales").unlink()
    assert teach(cohort, bundle, teacher="openai", model="m", base_url=server.url) == counts
    assert len(server.requests) - before == 12 - answered
    assert "today" not in json.dumps(server.requests), "notes are sent only when asked to"
    teach(cohort, bundle, teacher="openai", model="m", base_url=server.url, send_notes=True)
    assert "today" in json.dumps(server.requests)


def test_a_failure_that_may_pass_is_tried_again(server: Server) -> None:
    server.failures = [429, 503]
    assert "[" in client(server).ask(messages(write_sheet(CASE)))
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_keeps_failing_ends_the_job(server: Server, status: int) -> None:
    server.failures = [status] * 9
    with pytest.raises(ClinRaGenError, match=f"HTTP {status} after 3 attempts"):
        client(server).ask([])


@pytest.mark.parametrize(("status", "words"), [(401, "OPENAI_API_KEY"), (404, "--model"), (307, "not followed")])
def test_a_refusal_is_one_clear_line(server: Server, status: int, words: str) -> None:
    server.failures = [status]
    with pytest.raises(InputError, match=words):
        client(server).ask([{"role": "user", "content": "Secretname"}])
    assert len(server.requests) == 1


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"choices": []}', b'{"choices": [{"message": null}]}'])
def test_what_is_no_completion_is_refused(server: Server, raw: bytes) -> None:
    server.raw = raw
    with pytest.raises(ClinRaGenError, match="no chat completion"):
        client(server).ask([])


def test_a_server_that_is_not_there() -> None:
    nobody = ChatClient(Endpoint("http://127.0.0.1:9/v1", "m", attempts=2, wait=0.01))
    with pytest.raises(InputError, match="no answer after 2 attempts"):
        nobody.ask([])


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.2/v1", True),
        ("http://[::1]:1/v1", True),
        ("https://localhost.example.org/v1", False),
        ("https://127.0.0.1.example.org/v1", False),
        ("http://10.0.0.1/v1", False),
        ("https://localhost@example.org/v1", False),
    ],
)
def test_which_addresses_are_this_machine(address: str, local: bool) -> None:
    assert Endpoint(address, "m").is_local is local


def test_patients_do_not_leave_without_permission(
    tiny_world: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, _ = tiny_world
    cohort = tiny_cohort(tmp_path / "cohort", admissions=4)
    far = "https://user:pass@models.invalid/v1"
    with pytest.raises(InputError, match="do not allow sending") as caught:
        teach(cohort, bundle, teacher="openai", model="m", base_url=far)
    assert "pass@" not in str(caught.value)
    assert not (cohort.path / "answers").exists()
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(InputError, match="not sent without encryption"):
        endpoint_from_environment("http://models.invalid/v1", "m")
    with pytest.raises(InputError, match="no HTTP address"):
        endpoint_from_environment("file:///etc/passwd", "m")
    with pytest.raises(InputError, match="needs an endpoint"):
        endpoint_from_environment(None, "m")
    with pytest.raises(InputError, match="name of a model"):
        endpoint_from_environment(far, None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('[{"part": "note", "disease": "D1", "findings": ["F9"], "relations": [], "text": "x"}]', "unreadable"),
        ('[{"part": "note", "disease": "D9", "findings": ["F1"], "relations": ["R1"], "text": "x"}]', "unreadable"),
        ('[{"part": "note", "disease": "D1", "findings": ["F1"], "relations": ["R99"], "text": "x"}]', "statement"),
        ('[{"part": "note", "disease": "D1", "findings": ["F1"], "relations": [], "text": "x"}]', "no_evidence"),
        ('[{"part": "lab", "disease": "D1", "findings": ["F1"], "relations": ["R1"], "text": "x"}]', "finding"),
        ('[{"part": "note", "disease": "D2", "findings": ["F1"], "relations": ["R1"], "text": "x"}]', "no_path"),
        ("I cannot help with that.", "unreadable"),
    ],
)
def test_what_does_not_hold_is_dropped_and_counted(answer: str, reason: str) -> None:
    rationale, counts = read_answer(answer, CASE, write_sheet(CASE))
    assert rationale.sentences == ()
    assert counts[f"dropped_{reason}"] == 1 and counts["kept"] == 0


def test_a_second_sentence_on_the_same_is_dropped() -> None:
    item = '{"part": "note", "disease": "D1", "findings": ["F1"], "relations": ["R1"], "text": "Melena fits it."}'
    rationale, counts = read_answer(f'{{"sentences": [{item}, {item}]}}', CASE, write_sheet(CASE))
    assert [s.findings for s in rationale.sentences] == [(MELENA,)]
    assert (counts["kept"], counts["dropped_repeated"]) == (1, 1)


def test_plain_sentences_are_grounded_by_their_words() -> None:
    answer = (
        "### Rationale: Melena points to gastrointestinal hemorrhage. Fever points to gastrointestinal hemorrhage. "
        "### Lab: Creatinine was high, which fits acute and unspecified renal failure. ### Disease Diagnosed: shock."
    )
    rationale, counts = read_answer(answer, CASE, write_sheet(CASE))
    assert [s.disease for s in rationale.sentences] == [BLEED, KIDNEY]
    assert verify(rationale, FINDINGS, subgraph(), NAMES) == []
    assert counts["dropped_unreadable"] == 1


def test_a_question_tells_what_supports_each_diagnosis_and_nothing_that_was_denied() -> None:
    text = write_sheet(CASE).text
    assert "melena" in text and "high creatinine (3.14 mg/dL at hour 6)" in text
    assert "achycardia" not in text and "no tachycardia" not in text


def test_answers_survive_a_cut_off_line(tmp_path: Path) -> None:
    path = tmp_path / "answers" / "a.jsonl"
    cache = AnswerCache(path, {"model": "m"})
    cache.put("one", "1")
    cache.put("two", "2")
    cache.close()
    path.write_text(path.read_text()[:-5])
    again = AnswerCache(path, {"model": "m"})
    assert (again.get("one"), again.get("two")) == ("1", None)
    again.put("two", "2")
    again.close()
    last = AnswerCache(path, {"model": "m"})
    assert (last.get("one"), last.get("two")) == ("1", "2")
    last.close()
    other = AnswerCache(path, {"model": "n"})
    assert other.get("one") is None
    other.close()


@pytest.fixture(scope="module")
def local_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder-only and an encoder-decoder model with random weights, as transformers saves them."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        T5Config,
        T5ForConditionalGeneration,
    )

    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("models")
    words = ["<pad>", "</s>", "<unk>", "melena", "fits", "shock", ".", "###", "Rationale", ":"]
    raw = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    size = {"vocab_size": len(words), "pad_token_id": 0, "eos_token_id": 1}
    llama = LlamaConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=700,
        bos_token_id=1, **size,
    )  # fmt: skip
    t5 = T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0, **size)
    for name, model in (("llama", LlamaForCausalLM(llama)), ("t5", T5ForConditionalGeneration(t5))):
        model.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return root


def test_a_local_model_teaches(tiny_world: tuple, tmp_path: Path, local_model: Path) -> None:
    bundle, _ = tiny_world
    cohort = tiny_cohort(tmp_path / "cohort", admissions=2)
    counts = teach(cohort, bundle, teacher="hf", model=str(local_model / "llama"))
    # Random weights write nothing that holds: all of it is dropped, and nothing stands in its place.
    assert counts.get("kept", 0) == 0 and counts["unexplained"] == counts["diagnoses"]
    assert counts.get("note_sentences", 0) == 0
    assert sum(counts.get(key, 0) for key in ("dropped_unreadable", "empty_answers")) >= 1  # type: ignore[misc]
    assert all(not s.findings for r in read_rationales(cohort).values() for s in r.sentences)


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_long_question_is_cut_and_answers_are_deterministic(local_model: Path, kind: str) -> None:
    from distill.teachers.hf import LocalModel

    model = LocalModel(local_model / kind, max_tokens=4, device="cpu")
    question = [{"role": "user", "content": "melena fits shock . " * 400}]
    answer = model.ask(question)
    assert isinstance(answer, str) and answer == model.ask(question, seed=5)


def test_what_is_no_model_is_refused(tiny_world: tuple, tmp_path: Path) -> None:
    bundle, cohort = tiny_world
    with pytest.raises(InputError, match="needs a model"):
        teach(cohort, bundle, teacher="hf")
    with pytest.raises(InputError, match="no such model"):
        teach(cohort, bundle, teacher="hf", model=str(tmp_path / "missing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="cannot load it"):
        teach(cohort, bundle, teacher="hf", model=str(tmp_path / "empty"))
