"""Aesthetics in the browser: a video in, the score and every frame's rating out."""

from opens2v_hf.hub.apps.metric import metric_page
from opens2v_hf.hub.apps.views import line_plot, per_frame

PAGE = metric_page(
    "aesthetics",
    "Aesthetics",
    "How beautiful the frames of a generated video are: the mean rating of 32 frames by LAION's aesthetic predictor. "
    "Visual-quality column of [OpenS2V-Eval](https://arxiv.org/abs/2505.20292). Higher is better.",
    released="CLIP ViT-L/14 and LAION's head, 1.2 GB",
    lines=lambda metric, outcome: [f"from {metric.sampling.count} frames"],
    view=line_plot("rating", "Rating of each sampled frame"),
    shown=per_frame("rating", "ratings"),
    digits=3,
    examples=[("singleobj_1", "perfect"), ("singleobj_1", "corrupted_frames")],
)

if __name__ == "__main__":
    PAGE.launch()
