import random
import sys
from concurrent.futures import ThreadPoolExecutor

import torch

from opens2v_hf.models.vector_cache import VectorCache


def test_threads_that_evict_texts_of_one_another_get_their_vectors():
    cache = VectorCache(4)
    before = sys.getswitchinterval()

    def request(seed: int) -> bool:
        draw = random.Random(seed)
        for _ in range(5000):
            texts = [str(draw.randrange(12)) for _ in range(3)]
            vectors = cache.get(texts, "instruction", lambda new: [torch.tensor(int(text)) for text in new])
            if [str(int(vector)) for vector in vectors] != texts:
                return False
        return True

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(request, range(4)))
    finally:
        sys.setswitchinterval(before)
    assert len(cache) == 4
