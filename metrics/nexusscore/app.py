"""NexusScore in the browser: a video and its reference pictures in, the score and the reasons for it out."""

from opens2v_hf.hub.apps.nexus import nexus_page

PAGE = nexus_page(
    "NexusScore",
    "How faithfully a generated video shows the subjects of its reference pictures: a detector looks for each of them "
    "in 32 frames, and what it finds is compared with the picture and its label. Subject-consistency metric of "
    "[OpenS2V-Eval](https://arxiv.org/abs/2505.20292). Higher is better.",
)

if __name__ == "__main__":
    PAGE.launch()
