"""Q-Align: pictures and a prompt in, logits of the five levels out.

Parameters bear the names of the released checkpoint (`q-future/one-align`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opens2v_hf.models.q_align.abstractor import VisualAbstractor
from opens2v_hf.models.q_align.config import QAlignConfig
from opens2v_hf.models.q_align.language import DecoderLayer, KeysValues, Layout, RmsNorm, Rotation
from opens2v_hf.models.q_align.vision import VisionEncoder


@dataclass(frozen=True)
class PromptIds:
    """A prompt as the network reads it.

    Attributes:
        before: ids of the text in front of the frames, the token that begins a sequence first.
        after: ids of the text behind them; the word that would come next is a level.
        levels: ids of the five levels, best first.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    levels: tuple[int, ...]

    def layout(self, picture_tokens: int) -> Layout:
        """Layout of a sequence with so many tokens of pictures."""
        return Layout(len(self.before), picture_tokens, len(self.after))


class _Body(nn.Module):
    """All but the head, under the names of the checkpoint."""

    def __init__(self, config: QAlignConfig) -> None:
        super().__init__()
        language = config.language
        self.embed_tokens = nn.Embedding(language.vocab_size, language.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(language) for _ in range(language.num_hidden_layers))
        self.norm = RmsNorm(language.hidden_size, language.rms_norm_eps)
        self.vision_model = VisionEncoder(config.vision)
        self.visual_abstractor = VisualAbstractor(config)


class QAlign(nn.Module):
    """The network.

    The tokens of a frame do not depend on its window: `encode_frames` runs once a frame, `level_logits` once a window,
    and `prefix` once.

    Args:
        config: its sizes.

    Example:
        >>> from opens2v_hf.models.q_align.config import AbstractorConfig, LanguageConfig, VisionConfig
        >>> config = QAlignConfig(VisionConfig(8, 16, 1, 2, image_size=28), AbstractorConfig(2, 8, 1, 2, 16),
        ...     LanguageConfig(10, 8, 16, 1, 2))
        >>> network = QAlign(config)
        >>> features = network.encode_frames(torch.zeros(4, 3, 28, 28))
        >>> windows = features[torch.tensor([[0, 1, 2], [1, 2, 3]])]
        >>> prompt = PromptIds((1, 3), (4,), (5, 6, 7, 8, 9))
        >>> features.shape, network.level_logits(windows, prompt, network.prefix(prompt)).shape
        (torch.Size([4, 3, 8]), torch.Size([2, 5]))
    """

    def __init__(self, config: QAlignConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _Body(config)
        self.lm_head = nn.Linear(config.language.hidden_size, config.language.vocab_size, bias=False)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Dtype of the weights."""
        return self.lm_head.weight.dtype

    def encode_frames(self, pixels: Tensor) -> Tensor:
        """Tokens of frames.

        Args:
            pixels: [F, 3, S, S], as the preprocessing makes them, on any device and in any float dtype.

        Returns:
            [F, Q + 1, H].
        """
        return self.model.visual_abstractor(self.model.vision_model(pixels.to(self.device, self.dtype)))

    def splice(self, windows: Tensor, prompt: PromptIds) -> Tensor:
        """The prompt with the frames at their position.

        Args:
            windows: [B, W, Q + 1, H], tokens of the W frames of each window, in time order.
            prompt: the same for all windows.

        Returns:
            [B, L, H].
        """
        before, after = (self._embed(ids).expand(len(windows), -1, -1) for ids in (prompt.before, prompt.after))
        return torch.cat([before, windows.flatten(1, 2), after], dim=1)

    def hidden_states(self, embeddings: Tensor, layout: Layout) -> Tensor:
        """[B, L, H] token embeddings -> [B, L, H], normed, of the last layer."""
        rotation = self._rotation(range(layout.length), embeddings)
        for layer in self.model.layers:
            embeddings = layer(embeddings, layout, rotation)
        return self.model.norm(embeddings)

    def prefix(self, prompt: PromptIds) -> list[KeysValues]:
        """Keys and values, layer by layer, of the text in front of the frames, which is the same for all windows."""
        embeddings, layout = self._embed(prompt.before)[None], Layout(len(prompt.before), 0, 0)
        rotation = self._rotation(range(layout.length), embeddings)
        found = []
        for layer in self.model.layers:
            found.append(cast(DecoderLayer, layer).keys_values(embeddings, layout, rotation))
            embeddings = layer(embeddings, layout, rotation)
        return found

    def level_logits(self, windows: Tensor, prompt: PromptIds, prefix: Sequence[KeysValues] | None = None) -> Tensor:
        """Logits of the five levels as the word that follows the prompt.

        All windows hold the same number of frames, so that nothing is padded: the network has no mask for padding.

        Args:
            windows: [B, W, Q + 1, H], frames as `encode_frames` gives them.
            prompt: the same for all windows.
            prefix: of this prompt, see `prefix`: the text in front of the frames is not computed again, nor is the
                last layer for tokens other than the last. Without it the whole sequence is computed, as in training.
                The logits differ by rounding.

        Returns:
            [B, 5], best level first.
        """
        if prefix is None:
            layout = prompt.layout(windows.shape[1] * windows.shape[2])
            last = self.hidden_states(self.splice(windows, prompt), layout)[:, -1]
        else:
            last = self._last_hidden_state(windows, prompt, prefix)
        return F.linear(last, self.lm_head.weight[list(prompt.levels)])

    def _last_hidden_state(self, windows: Tensor, prompt: PromptIds, prefix: Sequence[KeysValues]) -> Tensor:
        after = self._embed(prompt.after).expand(len(windows), -1, -1)
        tokens = torch.cat([windows.flatten(1, 2), after], dim=1)
        layout = Layout(0, tokens.shape[1] - len(prompt.after), len(prompt.after))
        start = len(prompt.before)
        rotation = self._rotation(range(start, start + layout.length), tokens)
        last_layer = len(self.model.layers) - 1
        for index, layer in enumerate(self.model.layers):
            tokens = layer(tokens, layout, rotation, prefix=prefix[index], last_only=index == last_layer)
        return self.model.norm(tokens[:, -1])

    def _embed(self, ids: Sequence[int]) -> Tensor:
        return self.model.embed_tokens(torch.tensor(list(ids), dtype=torch.long, device=self.device))

    def _rotation(self, positions: range, like: Tensor) -> Rotation:
        language = self.config.language
        return Rotation(positions, language.hidden_size // language.num_attention_heads, language.rope_theta, like)
