"""Copy-paste in the browser: a video, the picture that was given and other views in, how near each frame is out."""

from opens2v_hf.hub.apps.inputs import Pictures
from opens2v_hf.hub.apps.metric import metric_page
from opens2v_hf.hub.apps.views import copy_lines, copy_points, line_plot
from opens2v_hf.metrics.subject_reference import SubjectReference

PAGE = metric_page(
    "copypaste",
    "Copy-paste",
    "Whether a generated video shows its subject, or a copy of the given picture: the first picture is the one that "
    "was given, the others are other true views of the same subject. 1 where nothing was copied, 0 where all was.",
    inputs=[Pictures(most=4, first=2, noun="Picture", least=2)],
    released="the detector of the leaderboard's NexusScore, and DINOv2",
    reference=lambda given: SubjectReference(given["images"][:1], given["labels"][:1], views=(given["images"][1:],)),
    lines=copy_lines,
    view=line_plot("excess", "How much nearer to the given picture than to the other views"),
    shown=copy_points,
    examples=[("singleobj_1", "perfect", 2), ("singleobj_1", "pasted_reference", 2)],
)

if __name__ == "__main__":
    PAGE.launch()
