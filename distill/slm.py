"""Small language models behind one face: a T5 from scratch, any Hugging Face model, or one GGUF file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import AddedToken as RawAddedToken
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    DynamicCache,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutput

from distill.config import RunConfig
from ehr.errors import InputError
from encoder.language import EncodedNote, Memory

IGNORED = -100
"""Target value of padding: no loss there."""
SPECIAL = ("<pad>", "</s>", "<unk>", "<mask>")


def train_tokenizer(texts: Iterable[str], vocabulary: int, whole: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """Train a byte-pair tokenizer on training text.

    Args:
        texts: notes and target texts of the training split alone.
        vocabulary: largest number of tokens.
        whole: texts that become one token each (names of labels and headings), so that a target is short and a label's
            name is right or absent, never half.
    """
    raw = Tokenizer(models.BPE(unk_token=SPECIAL[2]))
    # Sections of a note end lines where they like: a line end is a space, or words would grow together over it.
    raw.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Lowercase(), normalizers.Replace(Regex(r"\s"), " ")]
    )
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="first"),
            pre_tokenizers.Punctuation(),
        ]
    )
    raw.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(SPECIAL), min_frequency=2, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    names = sorted(set(whole) - set(SPECIAL))
    raw.add_tokens([RawAddedToken(name, normalized=True, lstrip=True) for name in names])
    roles = dict(zip(("pad_token", "eos_token", "unk_token", "mask_token"), SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=raw, **roles)  # type: ignore[no-untyped-call]


def decode(tokenizer: Any, ids: Sequence[int], *, scratch: bool) -> str:
    """Turn token ids into text, special tokens left out.

    A tokenizer of `train_tokenizer` (``scratch``) is decoded here: its whole names carry no mark of the space before
    them.
    """
    if not scratch:
        return str(tokenizer.decode(ids, skip_special_tokens=True)).strip()
    whole = tokenizer.get_added_vocab()
    text = ""
    for token in tokenizer.convert_ids_to_tokens(list(ids)):
        if token not in SPECIAL:
            text += f" {token}" if token in whole else token.replace("\u2581", " ")
    return " ".join(text.split())


def scratch_model(config: RunConfig, vocabulary: int) -> T5ForConditionalGeneration:
    """Build a small T5 without pretrained weights; its dropout is off (it doubles a step's time on a CPU)."""
    shape: dict[str, Any] = {
        "vocab_size": vocabulary,
        "d_model": config.slm_width,
        "d_kv": config.slm_width // config.heads,
        "d_ff": 2 * config.slm_width,
        "num_layers": config.slm_layers,
        "num_decoder_layers": config.slm_layers,
        "num_heads": config.heads,
        "dropout_rate": 0.0,
        "feed_forward_proj": "relu",
        "decoder_start_token_id": 0,
    }
    return T5ForConditionalGeneration(T5Config(**shape, pad_token_id=0, eos_token_id=1))


class SmallLanguageModel(nn.Module):
    """What both kinds share; see `encoder.language.LanguageModel` for shapes."""

    reads_memory = False

    def __init__(self, model: nn.Module, *, pad: int, end: int, start: int) -> None:
        super().__init__()
        self.model: Any = model
        self.pad, self.end, self.start = pad, end, start
        self.width = int(self.embedding_table().shape[1])

    def embedding_table(self) -> Tensor:
        """Give the token embeddings, shape ``(vocabulary, width)``."""
        return cast(Tensor, self.model.get_input_embeddings().weight)

    def prompt_scale(self) -> float:
        """Root mean square of the token embeddings: how large a soft prompt's vectors should be."""
        with torch.no_grad():
            return float(self.embedding_table().float().pow(2).mean().sqrt())

    def _inputs(self, prompt: Tensor | None, ids: Tensor | None, mask: Tensor | None) -> tuple[Tensor, Tensor, int]:
        parts: list[Tensor] = []
        masks: list[Tensor] = []
        if prompt is not None:
            parts.append(prompt.to(self.embedding_table().dtype))
            masks.append(torch.ones(prompt.shape[:2], dtype=torch.bool, device=prompt.device))
        if ids is not None:
            parts.append(self.model.get_input_embeddings()(ids))
            masks.append(mask if mask is not None else ids != self.pad)
        if not parts:
            raise ValueError("neither prompt nor note given")
        return torch.cat(parts, 1), torch.cat(masks, 1), 0 if prompt is None else prompt.shape[1]

    def encode(self, prompt: Tensor | None, note_ids: Tensor | None, note_mask: Tensor | None) -> EncodedNote:
        """Read prompt and note."""
        raise NotImplementedError

    def text_loss(self, encoded: EncodedNote, memory: Memory | None, targets: Tensor) -> Tensor:
        """Mean cross-entropy over target tokens; -100 is ignored."""
        raise NotImplementedError

    def generate(
        self,
        encoded: EncodedNote,
        memory: Memory | None,
        *,
        new_tokens: int,
        beams: int = 1,
        processors: Sequence[Any] = (),
    ) -> Tensor:
        """Write texts; gives the new tokens alone, shape ``(batch, at most new_tokens)``."""
        raise NotImplementedError

    def _generation(self, new_tokens: int, beams: int) -> dict[str, Any]:
        return {
            "max_new_tokens": new_tokens,
            "num_beams": beams,
            "do_sample": False,
            "pad_token_id": self.pad,
            "eos_token_id": self.end,
            "use_cache": True,
        }


class EncoderDecoder(SmallLanguageModel):
    """T5 and its like: the encoder reads soft prompt and note, the decoder their states and the memory."""

    reads_memory = True

    def encode(self, prompt: Tensor | None, note_ids: Tensor | None, note_mask: Tensor | None) -> EncodedNote:
        """Encode prompt and note."""
        embeds, mask, length = self._inputs(prompt, note_ids, note_mask)
        states = self.model.get_encoder()(inputs_embeds=embeds, attention_mask=mask.long()).last_hidden_state
        return EncodedNote(states, mask, length, embeds)

    def _memory(self, encoded: EncodedNote, memory: Memory | None) -> tuple[Tensor, Tensor]:
        if memory is None:
            return encoded.states, encoded.mask.long()
        return torch.cat((memory.vectors, encoded.states), 1), torch.cat((memory.mask, encoded.mask), 1).long()

    def text_loss(self, encoded: EncodedNote, memory: Memory | None, targets: Tensor) -> Tensor:
        """Mean cross-entropy over target tokens; -100 is ignored."""
        states, mask = self._memory(encoded, memory)
        output = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=mask,
            labels=targets,
            use_cache=False,
        )
        return cast(Tensor, output.loss)

    @torch.no_grad()
    def generate(
        self,
        encoded: EncodedNote,
        memory: Memory | None,
        *,
        new_tokens: int,
        beams: int = 1,
        processors: Sequence[Any] = (),
    ) -> Tensor:
        """Write texts; gives the new tokens alone, shape ``(batch, at most new_tokens)``."""
        states, mask = self._memory(encoded, memory)
        output = self.model.generate(
            encoder_outputs=BaseModelOutput(last_hidden_state=states),
            attention_mask=mask,
            logits_processor=list(processors),
            **self._generation(new_tokens, beams),
        )
        return cast(Tensor, output[:, 1:])


class DecoderOnly(SmallLanguageModel):
    """SmolLM, Qwen, OPT and their like: soft prompt, note and target in one causal sequence, loss on the target alone.

    The prefix is read once; its keys and values are kept with their gradient and the target is read on top of them.
    """

    def encode(self, prompt: Tensor | None, note_ids: Tensor | None, note_mask: Tensor | None) -> EncodedNote:
        """Read the prefix; padding stands on its right and is masked, places are counted without it."""
        embeds, mask, length = self._inputs(prompt, note_ids, note_mask)
        output = self.model(
            inputs_embeds=embeds,
            attention_mask=mask.long(),
            position_ids=_positions(mask),
            past_key_values=DynamicCache(config=self.model.config),
            use_cache=True,
            output_hidden_states=True,
            logits_to_keep=1,
        )
        return EncodedNote(output.hidden_states[-1], mask, length, embeds, output.past_key_values)

    def text_loss(self, encoded: EncodedNote, memory: Memory | None, targets: Tensor) -> Tensor:
        """Mean cross-entropy over target tokens; -100 is ignored, prefix tokens have no loss."""
        there = targets != IGNORED
        shifted = torch.cat((targets.new_full((len(targets), 1), self.start), targets[:, :-1]), 1)
        shifted = shifted.masked_fill(shifted == IGNORED, self.pad)
        places = encoded.mask.sum(1, keepdim=True) + torch.arange(targets.shape[1], device=targets.device)
        logits = self.model(
            input_ids=shifted,
            attention_mask=torch.cat((encoded.mask, there), 1).long(),
            position_ids=places,
            past_key_values=encoded.cache,
            use_cache=True,
        ).logits
        return nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED)

    @torch.no_grad()
    def generate(
        self,
        encoded: EncodedNote,
        memory: Memory | None,
        *,
        new_tokens: int,
        beams: int = 1,
        processors: Sequence[Any] = (),
    ) -> Tensor:
        """Write texts from the prefix, moved to the right edge so that all rows go on at the same place."""
        start = self.model.get_input_embeddings()(
            torch.full((len(encoded.mask), 1), self.start, device=encoded.mask.device)
        )
        embeds = torch.cat((encoded.embeds, start), 1)
        mask = torch.cat((encoded.mask, encoded.mask.new_ones(len(start), 1)), 1)
        order = mask.long().argsort(dim=1, stable=True)
        output = self.model.generate(
            inputs_embeds=embeds.gather(1, order.unsqueeze(-1).expand_as(embeds)),
            attention_mask=mask.gather(1, order).long(),
            logits_processor=list(processors),
            **self._generation(new_tokens, beams),
        )
        return cast(Tensor, output)


def _positions(mask: Tensor) -> Tensor:
    return (mask.long().cumsum(1) - 1).clamp(min=0)


def _source(config: RunConfig) -> tuple[str, dict[str, Any]]:
    if config.gguf is None:
        return config.slm, {}
    file = Path(config.gguf)
    if not file.is_file():
        raise InputError("no such GGUF file", where=file, remedy="give the path of a .gguf file")
    return str(file.parent), {"gguf_file": file.name}


@contextmanager
def _loading(name: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise InputError(
            f"a package is missing to load it ({error.name or 'see the extra models'})",
            where=name,
            remedy='install the extra: pip install "clinragen[models]"',
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"no language model could be loaded ({type(error).__name__})",
            where=name,
            remedy="give a directory or an id that this machine can reach, with safetensors weights",
        ) from error


def load_tokenizer(config: RunConfig) -> Any:
    """Load the tokenizer of a pretrained model.

    Raises:
        InputError: where there is none.
    """
    name, options = _source(config)
    with _loading(name):
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_slm(config: RunConfig, tokenizer: Any) -> SmallLanguageModel:
    """Give the language model: built here (``scratch``), or loaded.

    Raises:
        InputError: where nothing can be loaded from what was named.
    """
    if config.scratch:
        return EncoderDecoder(scratch_model(config, len(tokenizer)), pad=0, end=1, start=0)
    name, options = _source(config)
    with _loading(name):
        if config.gguf is not None:
            model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, **options)
        else:
            kind = (
                AutoModelForSeq2SeqLM if AutoConfig.from_pretrained(name).is_encoder_decoder else AutoModelForCausalLM
            )
            model = kind.from_pretrained(name, dtype=torch.float32, use_safetensors=True)
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    if model.config.is_encoder_decoder:
        return EncoderDecoder(model, pad=pad, end=end, start=model.config.decoder_start_token_id)
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else end
    return DecoderOnly(model, pad=pad, end=end, start=start)


def save_tokenizer(tokenizer: Any, directory: Path) -> None:
    """Write the tokenizer's files (JSON alone)."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(str(directory))


def open_tokenizer(directory: Path) -> Any:
    """Read a tokenizer written by `save_tokenizer`.

    Raises:
        InputError: where there is none.
    """
    if not (directory / "tokenizer.json").is_file():
        raise InputError("no tokenizer here", where=directory, remedy="give a run directory that `distill run` wrote")
    try:
        return AutoTokenizer.from_pretrained(str(directory))
    except (OSError, ValueError, json.JSONDecodeError) as error:
        raise InputError(f"unreadable tokenizer ({type(error).__name__})", where=directory) from error
