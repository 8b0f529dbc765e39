"""NaturalScore in the browser: a video in, the judge's score and replies out."""

from opens2v_hf.hub.apps.inputs import choice
from opens2v_hf.hub.apps.metric import metric_page
from opens2v_hf.hub.apps.views import html_table, replies
from opens2v_hf.models.roles import ROLES

PAGE = metric_page(
    "naturalscore",
    "NaturalScore",
    "How real does a video look to a judge? 1 is definitely AI-generated, 5 definitely real. Column of "
    "[OpenS2V-Eval](https://arxiv.org/abs/2505.20292).",
    inputs=[choice("protocol", "Protocol", released="", full="all of the clip, and whether subjects look pasted in")],
    released="gpt-4o-2024-11-20 through the OpenAI API, needs your key",
    others={"Qwen/Qwen2.5-VL-7B-Instruct": "runs here, needs a GPU, not the leaderboard's"},
    keyed=frozenset({ROLES["judge"].released}),
    view=html_table,
    shown=replies,
    digits=2,
    examples=[("singleobj_1", "perfect"), ("singleobj_1", "corrupted_frames")],
)

if __name__ == "__main__":
    PAGE.launch()
