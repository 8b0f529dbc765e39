"""Q-Align: pictures and a prompt in, logits of the five levels out.

Parameters bear the names of the released checkpoint (`q-future/one-align`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from opens2v_hf.models.q_align.abstractor import VisualAbstractor
from opens2v_hf.models.q_align.config import QAlignConfig
from opens2v_hf.models.q_align.language import DecoderLayer, Layout, RmsNorm, Rotation
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
        """Where the pictures lie."""
        return Layout(len(self.before), picture_tokens, len(self.after))


class _Body(nn.Module):
    """All but the head; it is here for the names of its parts."""

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

    What a frame looks like does not depend on the window it stands in: `encode_frames` runs once a frame, and
    `level_logits` once a window.

    Args:
        config: its sizes.

    Example:
        >>> from opens2v_hf.models.q_align.config import AbstractorConfig, LanguageConfig, VisionConfig
        >>> config = QAlignConfig(VisionConfig(8, 16, 1, 2, image_size=28), AbstractorConfig(2, 8, 1, 2, 16),
        ...     LanguageConfig(10, 8, 16, 1, 2))
        >>> network = QAlign(config)
        >>> features = network.encode_frames(torch.zeros(4, 3, 28, 28))
        >>> windows = features[torch.tensor([[0, 1, 2], [1, 2, 3]])]
        >>> features.shape, network.level_logits(windows, PromptIds((1, 3), (4,), (5, 6, 7, 8, 9))).shape
        (torch.Size([4, 3, 8]), torch.Size([2, 5]))
    """

    def __init__(self, config: QAlignConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _Body(config)
        self.lm_head = nn.Linear(config.language.hidden_size, config.language.vocab_size, bias=False)

    @property
    def device(self) -> torch.device:
        """Of the weights."""
        return self.lm_head.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
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
        """The prompt with the frames in their place.

        Args:
            windows: [B, W, Q + 1, H], tokens of the W frames of each window, in time order.
            prompt: the same for all windows.

        Returns:
            [B, L, H].
        """
        before, after = (
            self.model.embed_tokens(torch.tensor(ids, dtype=torch.long, device=self.device)).expand(
                len(windows), -1, -1
            )
            for ids in (prompt.before, prompt.after)
        )
        return torch.cat([before, windows.flatten(1, 2), after], dim=1)

    def hidden_states(self, embeddings: Tensor, layout: Layout) -> Tensor:
        """[B, L, H] token embeddings -> [B, L, H], normed, of the last layer."""
        language = self.config.language
        head_dim = language.hidden_size // language.num_attention_heads
        rotation = Rotation(layout.length, head_dim, language.rope_theta, embeddings)
        for layer in self.model.layers:
            embeddings = layer(embeddings, layout, rotation)
        return self.model.norm(embeddings)

    def level_logits(self, windows: Tensor, prompt: PromptIds) -> Tensor:
        """Logits of the five levels as the word that follows the prompt.

        All windows hold the same number of frames, so that nothing is padded: the network has no mask for padding.

        Args:
            windows: [B, W, Q + 1, H], frames as `encode_frames` gives them.
            prompt: the same for all windows.

        Returns:
            [B, 5], best level first.
        """
        layout = prompt.layout(windows.shape[1] * windows.shape[2])
        last = self.hidden_states(self.splice(windows, prompt), layout)[:, -1]
        return F.linear(last, self.lm_head.weight[self._rows(prompt.levels)])

    def _rows(self, ids: Sequence[int]) -> Tensor:
        return torch.tensor(list(ids), dtype=torch.long, device=self.device)
