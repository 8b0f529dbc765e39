"""Face detectors as ONNX files of InsightFace's own format (SCRFD), small enough to calculate by hand.

A cell of 8x8 pixels is a face where it is red: score sigmoid(2 (red - green) - 2) of the means of its channels, each
(value - 127.5) / 128. Box and landmarks lie at fixed distances from the cell's upper left corner.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
ANCHORS = 2
DISTANCES = (2.0, 3.0, 4.0, 5.0)
"""Left, top, right and bottom of the box, in strides from the corner."""

POINTS = ((-1.0, -1.0), (2.0, -1.0), (0.5, 1.0), (-0.5, 3.0), (1.5, 3.0))
"""Landmarks x, y, likewise."""

RED_SCORE = 1 / (1 + np.exp(-(2 * (255 / 128) - 2)))
NEVER = -20.0


def write_detector(path: Path, *, landmarks: bool = True, size: int | None = None) -> Path:
    """A detector with or without landmarks, for pictures of any size or of one."""
    weights = np.zeros((ANCHORS, 3, 1, 1), np.float32)
    weights[0, :2, 0, 0] = 2, -2  # the second anchor of a cell never finds anything
    nodes, initializers, outputs = [], [], {"score": [], "box": [], "points": []}

    def constant(name: str, value: np.ndarray) -> str:
        initializers.append(numpy_helper.from_array(value, name))
        return name

    for stride in STRIDES:
        nodes.append(
            helper.make_node(
                "AveragePool", ["picture"], [f"mean{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
            )
        )
        bias = np.array([-2.0 if stride == STRIDES[0] else NEVER, NEVER], np.float32)
        parts = {"score": (weights if stride == STRIDES[0] else 0 * weights, bias, 1)}
        for kind, values in (("box", DISTANCES), ("points", np.ravel(POINTS))):
            repeated = np.tile(np.asarray(values, np.float32), ANCHORS)
            parts[kind] = np.zeros((len(repeated), 3, 1, 1), np.float32), repeated, len(repeated) // ANCHORS
        for kind, (kernel, offset, width) in parts.items():
            if kind == "points" and not landmarks:
                continue
            name = f"{kind}{stride}"
            inputs = [f"mean{stride}", constant(f"{name}_w", kernel), constant(f"{name}_b", offset)]
            nodes.append(helper.make_node("Conv", inputs, [f"{name}_map"]))
            last = f"{name}_map"
            if kind == "score":
                nodes.append(helper.make_node("Sigmoid", [last], [f"{name}_sigmoid"]))
                last = f"{name}_sigmoid"
            nodes.append(helper.make_node("Transpose", [last], [f"{name}_last"], perm=[0, 2, 3, 1]))
            shape = constant(f"{name}_shape", np.array([-1, width], np.int64))
            nodes.append(helper.make_node("Reshape", [f"{name}_last", shape], [name]))
            outputs[kind].append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width]))
    sides = [size, size] if size else ["height", "width"]
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, *sides])
    ordered = [output for kind in outputs.values() for output in kind]
    return _save(path, nodes, [picture], ordered, initializers)


def write_recogniser(path: Path) -> Path:
    """What InsightFace takes for a model of face recognition: pictures of 112 px in, one vector out."""
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 112, 112])
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, 3, 1, 1])
    return _save(path, [helper.make_node("GlobalAveragePool", ["picture"], ["vector"])], [picture], [vector], [])


def _save(path: Path, nodes: list, inputs: list, outputs: list, initializers: list) -> Path:
    graph = helper.make_graph(nodes, "faces", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path
