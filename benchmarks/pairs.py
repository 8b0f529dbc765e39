"""Cross-video pairs: this package against the released procedure, and against the truth of synthetic videos.

    python benchmarks/pairs.py                  # cost on a cluster of ten clips, then precision and recall
    python benchmarks/pairs.py --clips 20       # a larger cluster
    python benchmarks/pairs.py --only truth

**Cost.** The released procedure walks over all pairs of a cluster's clips. The frame of the first is decoded once for
all of its pairs, that of the second for each; for each pair the crops and tags of both are embedded. It is written out
below as it works, with the same models and thresholds; it has no bound on context and no caps.

**Truth.** Subjects with exact masks of synthetic videos, embedded by the embedded embedder. A pair is right if both are
the same sprite. "Source" compares within the clips of one source video, "visual" all clips, and "across" counts of the
latter only what lies in different sources.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np

from opens2v_hf.data.opens2v5m.builder import OpenS2V5M
from opens2v_hf.data.synthetic.dataset_plan import plan_dataset
from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import phrase
from opens2v_hf.masks.apply import cut_out
from opens2v_hf.masks.rle import encode
from opens2v_hf.models.gme import RETRIEVAL_INSTRUCTION, GmeEmbedder
from opens2v_hf.models.vector_cache import VectorCache
from opens2v_hf.pipeline.pairs import PairOptions, make_pairs
from opens2v_hf.pipeline.pairs.clusters import by_source
from opens2v_hf.pipeline.pairs.options import NEAR_DUPLICATE
from opens2v_hf.pipeline.pairs.pictures import frame_of
from opens2v_hf.pipeline.pairs.search import Rules, search
from opens2v_hf.pipeline.pairs.subjects import SubjectTable
from opens2v_hf.pipeline.pairs.thresholds import Thresholds
from opens2v_hf.video.phash import phash

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from helpers.built_dataset import rows_of, subjects_of, write_shards, write_vectors

RELEASED = Thresholds(0.6, 0.6)
CURVE = (
    (0.6, 0.6),
    (0.6, 0.9),
    (0.6, 0.95),
    (0.9, 0.6),
    (0.9, 0.9),
    (0.98, 0.6),
    (0.98, 0.9),
    (0.98, 0.95),
    (0.98, 0.97),
)
Pair = frozenset[tuple[str, int]]


def released_pairs(rows: list[dict], embedder: GmeEmbedder, counts: Counter[str]) -> set[Pair]:
    """The released procedure over the clips of one cluster."""
    found = set()
    for index, current in enumerate(rows):
        frame = frame_of(current)
        counts["decodes"] += 1
        for other in rows[index + 1 :]:
            other_frame = frame_of(other)
            counts["decodes"] += 1
            sides = []
            for row, picture in ((current, frame), (other, other_frame)):
                subjects = subjects_of(row)
                crops = [cut_out(picture, subject["mask"].rle, background="black") for subject in subjects]
                embedder._texts = VectorCache()  # each pair embeds its tags anew
                images = embedder.embed_images(crops).float().numpy()
                texts = embedder.embed_texts([subject["label"] for subject in subjects], RETRIEVAL_INSTRUCTION)
                counts["clips whose crops are embedded"] += 1
                sides.append((row["id"], subjects, images, texts.float().numpy()))
            (one_id, ones, one_images, one_texts), (other_id, others, other_images, other_texts) = sides
            for i, one in enumerate(ones):
                for j, second in enumerate(others):
                    text, image = float(one_texts[i] @ other_texts[j]), float(one_images[i] @ other_images[j])
                    if text >= RELEASED.text and image > RELEASED.image:
                        found.add(frozenset([(one_id, one["id"]), (other_id, second["id"])]))
    return found


def our_pairs(folder: Path, embedder: GmeEmbedder, counts: Counter[str], seconds: dict[str, float]) -> set[Pair]:
    """Decode and embed once, then compare vectors."""
    begin = time.perf_counter()
    embedder._texts = VectorCache()
    made = write_vectors(
        folder, embedder.embed_images, lambda texts: embedder.embed_texts(texts, RETRIEVAL_INSTRUCTION)
    )
    counts["decodes"] += made["decodes"]
    counts["clips whose crops are embedded"] += made["decodes"]
    seconds["vectors"] = time.perf_counter() - begin
    begin = time.perf_counter()
    many = 10**6
    options = PairOptions(source=RELEASED, max_pairs_per_clip=many, max_pairs_per_cluster=many)
    make_pairs(folder, options)
    seconds["pairs"] = time.perf_counter() - begin
    builder = OpenS2V5M(dataset_name="opens2v-5m", config_name="cross_pairs", data_dir=str(folder))
    return {
        frozenset((row[f"{side}_id"], row[f"{side}_subject_id"]) for side in ("current", "other"))
        for row in builder.as_streaming_dataset(split="train")
    }


def cost(num_clips: int) -> None:
    embedder = GmeEmbedder.from_pretrained("embedded", device="cpu")
    with tempfile.TemporaryDirectory() as work:
        # the first file of a cluster holds two clips
        plan = {"clusters": 1, "clips_per_cluster": num_clips - 1, "singles": 0}
        folder = write_shards(Path(work, "dataset"), Path(work, "released"), **plan)
        rows = rows_of(folder)
        assert len(rows) == num_clips
        released, ours, parts = Counter[str](), Counter[str](), dict[str, float]()
        embedder.embed_images([np.zeros((32, 32, 3), np.uint8)])  # warm
        begin = time.perf_counter()
        theirs = released_pairs(rows, embedder, released)
        released_s = time.perf_counter() - begin
        begin = time.perf_counter()
        found = our_pairs(folder, embedder, ours, parts)
        ours_s = time.perf_counter() - begin
    print(f"A cluster of {num_clips} clips")
    print(f"{'':34}{'released':>10}{'here':>10}{'ratio':>8}")
    for name in released:
        print(f"{name:34}{released[name]:>10}{ours[name]:>10}{released[name] / ours[name]:>8.1f}")
    print(f"{'seconds':34}{released_s:>10.2f}{ours_s:>10.2f}{released_s / ours_s:>8.1f}")
    print(
        f"{'seconds of pairing again':34}{released_s:>10.2f}{parts['pairs']:>10.2f}{released_s / parts['pairs']:>8.0f}"
    )
    print(f"{'pairs':34}{len(theirs):>10}{len(found):>10}  of these {len(found & theirs)} in both\n")


def table_of(seed: int, embedder: GmeEmbedder) -> tuple[SubjectTable, np.ndarray]:
    """The subjects of a synthetic dataset with exact masks, and what each really is."""
    records, pictures = [], []
    for file in plan_dataset(clusters=36, clips_per_cluster=4, singles=14, seed=seed):
        for clip in file.clips:
            rendered = render_frame(clip.scene, clip.scene_frame_index)
            for number, (sprite, mask) in enumerate(zip(clip.scene.sprites, rendered.masks, strict=True), 1):
                if mask.any():
                    pictures.append(cut_out(rendered.image, encode(mask), background="black"))
                    hashed = phash(rendered.image)
                    records.append((clip.id, number, phrase(sprite), hashed, *clip.face_cut, clip.file, repr(sprite)))
    ids, numbers, labels, hashes, starts, ends, files, truth = (
        np.array(column) for column in zip(*records, strict=True)
    )
    table = SubjectTable(
        ids, numbers.astype(np.int32), labels, embedder.embed_images(pictures).numpy().astype(np.float16),
        embedder.embed_texts(labels.tolist()).numpy().astype(np.float16), hashes.astype(np.uint64),
        starts.astype(np.int32), ends.astype(np.int32), files, np.zeros(len(ids), np.int32),
    )  # fmt: skip
    order = np.lexsort((numbers, ids))
    return table.take(order), truth[order]


def truth(seeds: int) -> None:
    embedder = GmeEmbedder.from_pretrained("embedded", device="cpu")
    tables = [table_of(seed, embedder) for seed in range(seeds)]
    print(f"Precision and recall over {seeds} datasets of {', '.join(str(len(table)) for table, _ in tables)} subjects")
    print(f"{'clusters':10}{'text':>6}{'image':>7}{'pairs':>8}{'true':>7}{'precision':>11}{'recall':>8}")
    for text, image in ((0.6, 0.6),):
        show("source", text, image, tables)
    for text, image in CURVE:
        show("visual", text, image, tables)
    for text, image in CURVE:
        show("across", text, image, tables)


def show(kind: str, text: float, image: float, tables: list[tuple[SubjectTable, np.ndarray]]) -> None:
    found, right, true = 0, 0, 0
    for table, names in tables:
        sources, _ = by_source(table)
        groups = sources if kind == "source" else np.zeros(len(table), np.int64)
        apart = sources if kind == "across" else None
        rules = Rules(Thresholds(text, image), NEAR_DUPLICATE, 10**6, apart)
        pairs = search(table, groups, rules, Counter())
        found += len(pairs)
        right += int((names[pairs.first] == names[pairs.second]).sum())
        for one, other in combinations(range(len(table)), 2):
            if names[one] == names[other] and table.clip_ids[one] != table.clip_ids[other]:
                bits = (int(table.frame_phash[one]) ^ int(table.frame_phash[other])).bit_count()
                together = sources[one] == sources[other]
                wanted = {"source": together, "visual": True, "across": not together}[kind]
                true += wanted and bits > NEAR_DUPLICATE
    precision, recall = right / max(found, 1), right / max(true, 1)
    print(f"{kind:10}{text:>6.2f}{image:>7.2f}{found:>8}{true:>7}{precision:>11.3f}{recall:>8.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10, help="of the cluster (default 10)")
    parser.add_argument("--seeds", type=int, default=2, help="synthetic datasets for the truth (default 2)")
    parser.add_argument("--only", choices=("cost", "truth"))
    given = parser.parse_args()
    if given.only != "truth":
        cost(given.clips)
    if given.only != "cost":
        truth(given.seeds)


if __name__ == "__main__":
    main()
