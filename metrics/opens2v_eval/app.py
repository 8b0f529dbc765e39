"""The scorecard in the browser: a video, its prompt and references in, every column out."""

from opens2v_hf.hub.apps.scorecard import scorecard_page

PAGE = scorecard_page(
    "OpenS2V-Eval scorecard",
    "Every column of the leaderboard of [OpenS2V-Eval](https://arxiv.org/abs/2505.20292) for one video of "
    "subject-to-video generation. Give the prompt and, for the columns about subjects and people, the reference "
    "pictures with their labels.",
)

if __name__ == "__main__":
    PAGE.launch()
