"""NexusScore as a plain loop that does every piece of work anew, to compare with."""

import numpy as np
import torch
from PIL import Image


def released_loop(
    frames, references, *, detector, embedder, embeds, instruction, box_threshold=0.6, text_threshold=0.3
):
    """One record a box: (frame, reference, box, score, g_i, g_t, kept); `references` are (picture, text) pairs."""
    records = []
    for number, frame in enumerate(frames):
        for position, (picture, text) in enumerate(references):
            (found,) = detector.detect(frame[None], detector.prompts(embeds[position][None]))[0]
            for box, score in zip(found.boxes, found.scores, strict=True):
                crop = Image.fromarray(frame).crop(tuple(box.tolist()))  # PIL itself rounds half to even
                if 0 in crop.size:
                    records.append((number, position, box, score, None, None, False))
                    continue
                (vector,) = embedder.embed_images([crop])
                (of_picture,) = embedder.embed_images([picture])
                (of_text,) = embedder.embed_texts([text], instruction)
                g_i, g_t = torch.dot(vector, of_picture), torch.dot(vector, of_text)
                kept = bool(score > np.float32(box_threshold)) and bool(g_t > text_threshold) and bool(g_i != 0)
                records.append((number, position, box, score, g_i.item(), g_t.item(), kept))
    return records


def released_score(records):
    kept = [record[4] for record in records if record[6]]
    return sum(kept) / len(kept) / len({record[0] for record in records}) if kept else 0.0
