"""What the model asks of a language model, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor


@dataclass(slots=True)
class EncodedNote:
    """States of prompt and note.

    Attributes:
        states: shape ``(batch, prompt + tokens, width)``.
        mask: True where something stands, shape ``(batch, prompt + tokens)``.
        prompt: how many of the first positions are prompt.
        embeds: the input embeddings, same shape as the states.
        cache: keys and values of a decoder-only model.
    """

    states: Tensor
    mask: Tensor
    prompt: int
    embeds: Tensor
    cache: object = None

    @property
    def note_states(self) -> Tensor:
        """States of the note alone, shape ``(batch, tokens, width)``."""
        return self.states[:, self.prompt :]

    @property
    def note_mask(self) -> Tensor:
        """Mask of the note alone, shape ``(batch, tokens)``."""
        return self.mask[:, self.prompt :]


class Memory(NamedTuple):
    """Further vectors that a decoder reads beside the encoded input: label states and nodes of the subgraph.

    Attributes:
        vectors: shape ``(batch, items, width)``.
        mask: True where something stands, shape ``(batch, items)``.
    """

    vectors: Tensor
    mask: Tensor


class LanguageModel(Protocol):
    """A small language model seen from the assembled model; encoder-decoder or decoder-only.

    Attributes:
        width: size of its token embeddings and states.
        reads_memory: True where the decoder can read further vectors beside the encoded input.
    """

    width: int
    reads_memory: bool

    def embedding_table(self) -> Tensor:
        """Give the token embeddings, shape ``(vocabulary, width)``."""
        ...

    def encode(self, prompt: Tensor | None, note_ids: Tensor | None, note_mask: Tensor | None) -> EncodedNote:
        """Read soft prompt ``(batch, prompt, width)`` and note ``(batch, tokens)``."""
        ...

    def text_loss(self, encoded: EncodedNote, memory: Memory | None, targets: Tensor) -> Tensor:
        """Give the mean loss over target tokens; ``targets`` ``(batch, tokens)`` with -100 where nothing stands."""
        ...

    def generate(
        self,
        encoded: EncodedNote,
        memory: Memory | None,
        *,
        new_tokens: int,
        beams: int = 1,
        processors: Sequence[Callable[[Tensor, Tensor], Tensor]] = (),
    ) -> Tensor:
        """Write texts; gives new tokens alone, ``(batch, at most new_tokens)``."""
        ...
