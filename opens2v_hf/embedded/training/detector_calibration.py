"""Calibrate the detector's scores (Platt's scaling).

In training, hundreds of cells are negative for each positive one, so the scores are too low as probabilities that the
best cell of a frame is right. A scale and a bias are fitted on further training scenes and merged into those of the
head, which does not change the order of scores.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F

from opens2v_hf.embedded.training.detector_data import Batch
from opens2v_hf.embedded.training.detector_loss import own_targets
from opens2v_hf.embedded.training.detector_network import DetectorWithEncoder
from opens2v_hf.models.yolo_world.network import Contrast


@torch.inference_mode()
def best_logits(networks: DetectorWithEncoder, batches: Iterable[Batch]) -> tuple[torch.Tensor, torch.Tensor]:
    """The best cell's logit for every reference, and whether it is there to be found.

    Returns:
        [N]: of references in the frame the best in the middle of the subject's box, of others the best anywhere; and
        [N], 1 or 0. References for which that is ambiguous are left out.
    """
    found, there = [], []
    for batch in batches:
        prompts = networks.prompts(batch.references)
        output, _ = networks(batch.pictures.float() / 255, prompts, batch.picture_of_reference)
        own = torch.arange(len(prompts))
        logits = torch.cat([level[own, own].flatten(1) for level in output.logits], dim=1)
        target = own_targets(output, batch)
        right, arguable = target == 1, target.isnan()
        present = right.any(dim=1)
        within = torch.where(present[:, None], right, ~arguable)
        best = logits.masked_fill(~within, -torch.inf).amax(dim=1)
        asked = present | ~arguable.any(dim=1)
        found.append(best[asked])
        there.append(present[asked].float())
    return torch.cat(found), torch.cat(there)


def fit_scale_and_shift(logits: torch.Tensor, targets: torch.Tensor) -> tuple[float, float]:
    """Maximum likelihood of `targets` [N] under sigmoid(scale * logits + shift); right and wrong weigh the same.

    Args:
        logits: [N].
        targets: [N], 1 or 0, some of each.
    """
    weights = torch.where(targets > 0.5, 0.5 / targets.sum(), 0.5 / (1 - targets).sum())
    log_scale, shift = torch.zeros((), requires_grad=True), torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([log_scale, shift], lr=0.5, max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        cost = F.binary_cross_entropy_with_logits(
            log_scale.exp() * logits + shift, targets, weight=weights, reduction="sum"
        )
        cost.backward()
        return cost

    optimizer.step(loss)
    return float(log_scale.detach().exp()), float(shift.detach())


def calibrate(networks: DetectorWithEncoder, batches: Iterable[Batch]) -> tuple[float, float]:
    """Fit scale and shift, and build them into the detector.

    Args:
        networks: in evaluation mode; changed in place.
        batches: of scenes that no test uses.

    Returns:
        Scale and shift of the logits.
    """
    logits, targets = best_logits(networks, batches)
    scale, shift = fit_scale_and_shift(logits.clone(), targets.clone())
    with torch.no_grad():
        for module in networks.modules():
            if isinstance(module, Contrast):
                module.logit_scale.add_(torch.tensor(scale).log())
                module.bias.mul_(scale).add_(shift)
    return scale, shift
