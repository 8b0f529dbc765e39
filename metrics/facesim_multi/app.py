"""FaceSim for several people in the browser: a video and a picture of each person in, what each frame shows out."""

from opens2v_hf.hub.apps.inputs import Pictures
from opens2v_hf.hub.apps.metric import metric_page
from opens2v_hf.hub.apps.views import line_plot, people_lines, people_points
from opens2v_hf.metrics.face_reference import FaceReference

PAGE = metric_page(
    "facesim_multi",
    "FaceSim for several people",
    "How much a generated video shows all its reference people, each with a face of their own: in every frame faces "
    "are assigned to people, one to one and optimally. The FaceSim-Cur of "
    "[OpenS2V-Eval](https://arxiv.org/abs/2505.20292) compares one face only. Higher is better.",
    inputs=[Pictures(most=5, first=2, noun="Person", labelled=False)],
    released="InsightFace and CurricularFace, those of the leaderboard's FaceSim-Cur",
    reference=lambda given: FaceReference(given["images"], given["labels"]),
    lines=people_lines,
    view=line_plot("similarity", "Similarity of the face assigned to each person", color="reference"),
    shown=people_points,
    examples=[("multiface_1", "perfect"), ("multiface_1", "missing_subject")],
)

if __name__ == "__main__":
    PAGE.launch()
