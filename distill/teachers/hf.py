"""A teacher that is a language model on this machine, loaded with transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from ehr.errors import InputError

_TURN_TOKENS = 16
"""Tokens at the end of a chat that are never cut."""


class LocalModel:
    """A decoder-only or encoder-decoder model from a directory (or one GGUF file in it); nothing is downloaded.

    Args:
        path: directory with safetensors weights and tokenizer, or a ``.gguf`` file.
        max_tokens: longest answer.
        device: ``cpu`` or ``cuda``; None takes a GPU where there is one.

    Raises:
        InputError: where there is no such model.
    """

    def __init__(self, path: Path, *, max_tokens: int = 512, device: str | None = None) -> None:
        self.path, self.max_tokens = path, max_tokens
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        gguf = path.name if path.suffix == ".gguf" else None
        folder = path.parent if gguf else path
        if not path.exists():
            raise InputError("no such model", where=path, remedy="give --model the directory of a saved model")
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        if gguf:
            options["gguf_file"] = gguf
        try:
            config = AutoConfig.from_pretrained(folder, **options)
            kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, **options)
            if not gguf:
                options["use_safetensors"] = True
            model: Any = kind.from_pretrained(folder, **options)
        except (OSError, ValueError, ImportError, KeyError) as error:
            raise InputError(
                f"transformers cannot load it ({type(error).__name__})",
                where=path,
                remedy="it needs config.json, a tokenizer and model.safetensors",
            ) from error
        self._model = model.to(self.device).eval()
        self._decoder_only = not config.is_encoder_decoder

    def ask(self, messages: list[dict[str, str]], *, seed: int = 0) -> str:
        """Give the model's greedy answer to a chat; of a question that is too long, the end of the text is cut."""
        if getattr(self._tokenizer, "chat_template", None):
            text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        else:
            text = "\n\n".join(message["content"] for message in messages) + "\n\n"
        ids = self._tokenizer(text)["input_ids"]
        room = self._room()
        if room is not None and len(ids) > room:
            # The last tokens tell a chat model that it is its turn: cut before them.
            tail = min(_TURN_TOKENS, room // 2)
            ids = ids[: room - tail] + ids[len(ids) - tail :]
        inputs = {"input_ids": torch.tensor([ids], device=self.device)}
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        pad = self._tokenizer.pad_token_id
        torch.manual_seed(seed)
        with torch.inference_mode():
            output = self._model.generate(
                **inputs,
                max_new_tokens=self.max_tokens,
                do_sample=False,
                num_beams=1,
                pad_token_id=self._tokenizer.eos_token_id if pad is None else pad,
            )
        answer = output[0, inputs["input_ids"].shape[1] :] if self._decoder_only else output[0]
        return str(self._tokenizer.decode(answer, skip_special_tokens=True))

    def _room(self) -> int | None:
        """Give how many tokens a question may have; None where the model sets no limit."""
        limit = getattr(self._model.config, "max_position_embeddings", None)
        if not isinstance(limit, int):
            return None
        return max(limit - self.max_tokens, 1) if self._decoder_only else limit
