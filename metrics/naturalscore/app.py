"""The Space of NaturalScore: a video goes in, a score and the judge's replies come out."""

import gradio as gr

from opens2v_hf.errors import OpenS2VError
from opens2v_hf.models.info import EMBEDDED
from opens2v_hf.models.judge.loading import RELEASED_JUDGE
from opens2v_hf.run.metrics.base import score_many
from opens2v_hf.run.metrics.naturalscore import NaturalScore

JUDGES = [
    ("embedded: tiny, needs no network, knows only synthetic scenes", EMBEDDED),
    (f"{RELEASED_JUDGE[7:]} through the OpenAI API: as released, needs your key", RELEASED_JUDGE),
    ("Qwen2.5-VL-7B-Instruct: runs here, needs a GPU", "Qwen/Qwen2.5-VL-7B-Instruct"),
]
MAX_CALLS = 12  # one video, three runs, and a few retries: what a visitor's key can be charged at most
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
"""Fonts of the visitor's own machine, so that the page waits for no other server."""


def rate(video, judge, protocol, api_key):
    """Score one uploaded video.

    Returns:
        The score or the reason why there is none, as Markdown, and the whole answer as JSON.
    """
    if not video:
        return "Upload a video first.", {}
    # the visitor's key or none: never a key of the machine that serves this page
    options = {"api_key": api_key or "", "max_calls": MAX_CALLS} if judge == RELEASED_JUDGE else {}
    try:
        answer = score_many(NaturalScore.from_pretrained(judge, protocol=protocol, **options), [video], details=True)
    except OpenS2VError as error:
        return f"**No score.** {error}", {}
    value, reason = answer["scores"][0], answer["reasons"][0]
    lines = [f"## {value:.2f} of 5" if value is not None else "**No score.**", reason, answer["note"]]
    return "\n\n".join(line for line in lines if line), answer


def build():
    """The page."""
    with gr.Blocks(title="NaturalScore", analytics_enabled=False) as page:
        gr.Markdown(
            "# NaturalScore\nHow real does a video look to a judge? 1 is definitely AI-generated, 5 definitely real."
        )
        with gr.Row():
            with gr.Column():
                video = gr.Video(label="Video", sources=["upload"])
                judge = gr.Dropdown(JUDGES, value=EMBEDDED, label="Judge")
                protocol = gr.Radio(["released", "full"], value="released", label="Protocol")
                api_key = gr.Textbox(
                    label="OpenAI API key (used for this request only)", type="password", visible=False
                )
                button = gr.Button("Score", variant="primary")
            with gr.Column():
                verdict = gr.Markdown()
                answer = gr.JSON(label="Answer")
        judge.change(lambda name: gr.update(visible=name == RELEASED_JUDGE), judge, api_key, api_visibility="private")
        button.click(rate, [video, judge, protocol, api_key], [verdict, answer], api_name="rate")
    return page


if __name__ == "__main__":
    build().launch(theme=THEME)
