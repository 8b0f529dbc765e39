"""GmeScore in the browser: a video and its prompt in, the score and every frame's similarity out."""

from opens2v_hf.hub.apps.inputs import Prompt
from opens2v_hf.hub.apps.metric import metric_page
from opens2v_hf.hub.apps.views import line_plot, per_frame
from opens2v_hf.metrics.gmescore import checked_prompt

PAGE = metric_page(
    "gmescore",
    "GmeScore",
    "How well a generated video shows what its prompt says: the mean similarity of the prompt and 32 frames, embedded "
    "by GME. Text-relevance metric of [OpenS2V-Eval](https://arxiv.org/abs/2505.20292). Higher is better.",
    inputs=[Prompt()],
    released="GME-Qwen2-VL-7B, the leaderboard's, needs a GPU",
    others={"Alibaba-NLP/gme-Qwen2-VL-2B-Instruct": "smaller, not the leaderboard's"},
    reference=lambda given: checked_prompt(given["prompt"]),
    lines=lambda metric, outcome: [f"from {metric.sampling.count} frames, embedder `{metric.models[0].name}`"],
    view=line_plot("similarity", "Similarity of each sampled frame and the prompt"),
    shown=per_frame("similarity", "similarities"),
    examples=[("singleobj_1", "perfect"), ("singleobj_1", "text_ignored")],
)

if __name__ == "__main__":
    PAGE.launch()
