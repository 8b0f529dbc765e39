"""Cross-video pairs: the same subject in two clips, in another context.

Every subject was embedded once when its clip was made, and its vector is stored next to the shards. So this is
arithmetic on vectors: no clip is decoded or embedded again, and pairing again with other thresholds takes seconds.

- `subjects` reads the vectors of all units as one table.
- `thresholds` knows which similarities count as "the same" for which embedder; a number belongs to a model.
- `search` compares subjects in blocks, or by an index of faiss, and applies the rules.
- `clusters` groups clips: by source video, or by visual similarity.
- `select` ranks what was found and caps it; a `verify.Verifier` may be asked about what would be taken.
- `make` does all of it for a dataset's folder.
"""

from opens2v_hf.pipeline.pairs.make import PairResult, make_pairs
from opens2v_hf.pipeline.pairs.options import PairOptions
from opens2v_hf.pipeline.pairs.verify import EndpointVerifier, Verdict, Verifier

__all__ = ["EndpointVerifier", "PairOptions", "PairResult", "Verdict", "Verifier", "make_pairs"]
