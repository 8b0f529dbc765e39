"""Make the pictures of these pages again: `python docs/make_images.py`, in some minutes of a processor.

All of them come from the package's own commands on its synthetic sample with the embedded models; those of pages need
chromium. The picture of the leaderboard is a screenshot of spaces/leaderboard and is not made here.
"""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from opens2v_hf import cli
from opens2v_hf.data.synthetic.eval_layout import eval_ids
from opens2v_hf.data.synthetic.sample import SampleFolders, write_sample
from opens2v_hf.video.clip import Clip
from opens2v_hf.video.sampling import linspace

TARGET = Path(__file__).resolve().parent / "images"
MOST_BYTES = 150_000
MOST_PX = 1400
EXPLANATION_PX = 1490  # as far as the second row of frames

_GAP = ((0, 0), (0, 0), (0, 4), (0, 0))


def save(picture: Image.Image, name: str) -> None:
    """Write a picture as WebP, as large and as good as the limits allow."""
    picture = picture.convert("RGB")
    picture.thumbnail((MOST_PX, 4 * MOST_PX), Image.Resampling.LANCZOS)
    path = TARGET / f"{name}.webp"
    for quality in (90, 80, 70, 60, 50):
        picture.save(path, "WEBP", quality=quality, method=6)
        if path.stat().st_size < MOST_BYTES:
            break
    print(f"{path.name}: {picture.width}x{picture.height}, {path.stat().st_size} bytes")


def strips(videos: dict[str, Path], sample_id: str) -> Image.Image:
    """Frames of one prompt, a row for each simulated model, its name in front."""
    from matplotlib.figure import Figure

    rule = linspace(8)
    figure = Figure(figsize=(11, 0.86 * len(videos)), dpi=130, layout="constrained")
    for panel, (model, folder) in zip(figure.subplots(len(videos), 1), videos.items(), strict=True):
        frames = Clip(folder / f"{sample_id}.mp4", rules=(rule,)).frames(rule)
        panel.imshow(np.concatenate(list(np.pad(frames, _GAP, constant_values=255)), axis=1))
        panel.set_ylabel(model, rotation=0, ha="right", va="center", fontsize=11)
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, bbox_inches="tight")
    return Image.open(buffer)


def score(work: Path, folders: SampleFolders, model: str) -> str:
    """Score a simulated model; the path of its result."""
    out = work / "results" / model
    place = ["--data-dir", str(folders.benchmark), "--models", "embedded", "--out", str(out)]
    cli.main(["score", str(folders.videos[model]), *place])
    return str(out / "open-domain.json")


def in_a_row(pictures: list[Image.Image]) -> Image.Image:
    """Pictures in a row, as high as the lowest."""
    height = min(picture.height for picture in pictures)
    scaled = [picture.resize((round(picture.width * height / picture.height), height)) for picture in pictures]
    row = Image.new("RGB", (sum(picture.width for picture in scaled), height), "white")
    left = 0
    for picture in scaled:
        row.paste(picture, (left, 0))
        left += picture.width
    return row


def screenshot(page: Path) -> Image.Image:
    """A page in Chromium, 1280 pixels wide, without the white below its end."""
    path = page.with_suffix(".png")
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1280,4000",
    ]
    # the page was written by this script, and chromium is taken from wherever it is installed
    subprocess.run([*command, f"--screenshot={path}", page.as_uri()], check=True, capture_output=True)  # noqa: S603
    picture = Image.open(path).convert("RGB")
    content = ImageChops.difference(picture, Image.new("RGB", picture.size, "white")).getbbox()
    bottom = picture.height if content is None else min(content[3] + 16, picture.height)
    return picture.crop((0, 0, picture.width, bottom))


def main() -> None:
    """Make everything in a temporary folder, and the pictures of it in `docs/images`."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folders = write_sample(work / "sample", per_category=1)
        sample_id = next(i for i in eval_ids(1) if i.startswith("singleobj"))
        save(strips(folders.videos, sample_id), "simulated-models")
        clip = sorted((folders.dataset / "gpt-frames-pairs").iterdir())[0].name
        cli.main(["show", clip, "--data-dir", str(folders.dataset), "--out", str(work / "show.html")])
        save(screenshot(work / "show.html"), "show")
        video = str(folders.videos["flicker"] / f"{sample_id}.mp4")
        place = ["--data-dir", str(folders.benchmark), "--models", "embedded", "--out", str(work / "why")]
        cli.main(["explain", video, *place])
        save(screenshot(work / "why" / f"{sample_id}.html").crop((0, 0, 1280, EXPLANATION_PX)), "explain")
        results = [score(work, folders, model) for model in ("perfect", "flicker")]
        cli.main(["report", *results, "--out", str(work / "report")])
        save(in_a_row([Image.open(work / "report" / f"{name}.png") for name in ("columns", "radar")]), "report")


if __name__ == "__main__":
    main()
