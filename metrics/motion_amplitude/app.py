"""MotionAmplitude in the browser: a video in, the score and the motion between its frames out."""

from opens2v_hf.hub.apps.inputs import choice
from opens2v_hf.hub.apps.metric import metric_page
from opens2v_hf.hub.apps.views import line_plot, motion_lines, motion_points

PAGE = metric_page(
    "motion_amplitude",
    "MotionAmplitude",
    "How much moves in a generated video: the optical flow between all consecutive frames. Motion column of "
    "[OpenS2V-Eval](https://arxiv.org/abs/2505.20292). No model takes part.",
    inputs=[
        choice(
            "variant",
            "Definition",
            released="the leaderboard's; opposite motions cancel",
            magnitude="length of the motion; not the leaderboard's",
        )
    ],
    lines=motion_lines,
    view=line_plot("pixels per frame", "Flow from the frame before to each frame", color="what"),
    shown=motion_points,
    examples=[("singleobj_1", "perfect"), ("singleobj_1", "frozen")],
)

if __name__ == "__main__":
    PAGE.launch()
