"""MotionSmoothness in the browser: a video in, the score and the quality around every frame out."""

from opens2v_hf.hub.apps.metric import metric_page
from opens2v_hf.hub.apps.views import jump_lines, jump_plot, jump_points

PAGE = metric_page(
    "motion_smoothness",
    "MotionSmoothness",
    "How steady the quality of a video stays: three frames around every frame are rated by Q-Align, and the score is "
    "the share of the frames at which the rating does not jump. Column of "
    "[OpenS2V-Eval](https://arxiv.org/abs/2505.20292). Higher is better.",
    released="Q-Align (q-future/one-align), the leaderboard's, needs a GPU",
    lines=jump_lines,
    view=jump_plot,
    shown=jump_points,
    examples=[("singleobj_1", "perfect"), ("singleobj_1", "flicker")],
)

if __name__ == "__main__":
    PAGE.launch()
