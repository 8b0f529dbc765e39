"""The identity of every subject in the browser: a video and a picture of each subject in, what each frame shows out."""

from opens2v_hf.hub.apps.inputs import Pictures
from opens2v_hf.hub.apps.metric import metric_page
from opens2v_hf.hub.apps.views import line_plot, people_points, subject_lines
from opens2v_hf.metrics.subject_reference import SubjectReference

PAGE = metric_page(
    "subject_identity",
    "Subject identity",
    "How much a generated video shows all its reference subjects, each as a subject of its own: in every frame crops "
    "are assigned to references, one to one and optimally. Swapped, merged and drifting subjects cost, and so does "
    "every frame without one. Higher is better.",
    inputs=[Pictures(most=5, first=2)],
    released="the detector of the leaderboard's NexusScore, and DINOv2",
    reference=lambda given: SubjectReference(given["images"], given["labels"]),
    lines=subject_lines,
    view=line_plot("similarity", "Similarity of the crop assigned to each subject", color="reference"),
    shown=people_points,
    examples=[("multiobject_1", "perfect"), ("multiobject_1", "swapped_subjects"), ("singleobj_1", "drifting_subject")],
)

if __name__ == "__main__":
    PAGE.launch()
