"""A generator of a few lines, and a run with it."""

import numpy as np

from opens2v_hf.generators import Generated, GeneratorInfo, Recipe
from opens2v_hf.generators.api import generate

RECIPE = Recipe(width=32, height=16, num_frames=4, fps=8)


class Stripes:
    """A moving stripe whose place comes from the seed and the prompt."""

    info = GeneratorInfo(kind="python", name="stripes")
    recipe = RECIPE
    max_references = None

    def __init__(self, faults=None):
        self.faults = faults or {}
        self.requests = []
        self.closed = False

    def generate(self, request, progress=None):
        self.requests.append(request)
        fault = self.faults.get(request.id)
        if isinstance(fault, Exception):
            raise fault
        frames = np.zeros((4, 16, 32, 3), np.uint8)
        for number in range(4):
            frames[number, :, (request.seed + len(request.prompt) + 4 * number) % 32] = 255
        return fault if fault is not None else Generated(frames=frames)

    def close(self):
        self.closed = True


def make(generator, benchmark, tmp_path, **options):
    return generate(generator, data_dir=benchmark, out=tmp_path / "out", **options)
