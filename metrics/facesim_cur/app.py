"""FaceSim-Cur in the browser: a video and a picture of a person in, the score and every frame's similarity out."""

from opens2v_hf.hub.apps.inputs import Pictures
from opens2v_hf.hub.apps.metric import metric_page
from opens2v_hf.hub.apps.views import line_plot, per_frame
from opens2v_hf.metrics.face_reference import FaceReference

PAGE = metric_page(
    "facesim_cur",
    "FaceSim-Cur",
    "How much the face in a generated video is that of its reference person: the mean similarity over 32 frames, by "
    "CurricularFace. Identity metric of [OpenS2V-Eval](https://arxiv.org/abs/2505.20292). Higher is better.",
    inputs=[Pictures(most=1, first=1, noun="Picture of the person", labelled=False)],
    released="InsightFace and CurricularFace, the leaderboard's",
    reference=lambda given: FaceReference(given["images"], given["labels"]),
    lines=lambda metric, outcome: [
        f"{outcome.details['frames_with_face']} of {metric.sampling.count} frames have a face, "
        f"{outcome.details['frames_counted']} count"
    ],
    view=line_plot("similarity", "Similarity of each frame's face and the person's"),
    shown=per_frame("similarity", "cosines"),
    examples=[("singleface_1", "perfect"), ("singleface_1", "wrong_subject")],
)

if __name__ == "__main__":
    PAGE.launch()
