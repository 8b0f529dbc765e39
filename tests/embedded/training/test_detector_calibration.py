import math

import pytest
import torch

from opens2v_hf.embedded.training.detector_calibration import best_logits, calibrate, fit_scale_and_shift
from opens2v_hf.embedded.training.detector_data import DetectorBatches
from opens2v_hf.embedded.training.detector_network import DetectorWithEncoder
from opens2v_hf.models.yolo_world.network import Contrast


def test_the_fit_makes_shares_of_scores():
    # at -3 a quarter of the cases is right, at -1 three quarters: scale * logit + shift = -log 3 and log 3
    logits = torch.tensor([-3.0] * 40 + [-1.0] * 40)
    targets = torch.tensor([1.0] * 10 + [0.0] * 30 + [1.0] * 30 + [0.0] * 10)
    scale, shift = fit_scale_and_shift(logits, targets)
    assert scale == pytest.approx(math.log(3), rel=1e-3)
    assert shift == pytest.approx(2 * math.log(3), rel=1e-3)


def test_right_and_wrong_have_equal_weight_for_any_numbers():
    logits = torch.tensor([-3.0] * 40 + [-1.0] * 40)
    targets = torch.tensor([1.0] * 10 + [0.0] * 30 + [1.0] * 30 + [0.0] * 10)
    more = torch.cat([logits, *[logits[targets == 0]] * 4]), torch.cat([targets, *[targets[targets == 0]] * 4])
    assert fit_scale_and_shift(*more) == pytest.approx(fit_scale_and_shift(logits, targets), rel=1e-3)


def test_calibrating_changes_logits_by_scale_and_shift_alone():
    torch.manual_seed(0)
    networks = DetectorWithEncoder().eval()
    data = DetectorBatches(0, 9, 4, 2)
    before, targets = best_logits(networks, [data[0]])
    assert len(before) == len(targets) <= 8
    assert set(targets.tolist()) == {0.0, 1.0}
    biases = [module.bias.item() for module in networks.modules() if isinstance(module, Contrast)]
    scale, shift = calibrate(networks, [data[0]])
    after, _ = best_logits(networks, [data[0]])
    torch.testing.assert_close(after, scale * before + shift, atol=1e-3, rtol=1e-4)
    new = [module.bias.item() for module in networks.modules() if isinstance(module, Contrast)]
    assert new == pytest.approx([scale * bias + shift for bias in biases], rel=1e-4)
