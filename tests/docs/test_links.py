"""Links within the project lead somewhere, pictures are there and small."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from helpers.markdown import anchors, links
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(ROOT.glob("docs/**/*.md"))
CARDS = [path for kind in ("metrics", "dataset_scripts", "spaces") for path in sorted(ROOT.glob(f"{kind}/**/*.md"))]
PICTURES = ROOT / "docs" / "images"
MOST_BYTES = 150_000


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES + CARDS, ids=_name)
def test_links_of_a_page(page: Path) -> None:
    for link in links(page):
        place = f"{_name(page)}:{link.line}: {link.target}"
        url = urlsplit(link.target)
        assert url.scheme in ("", "https", "mailto"), place
        if url.scheme:
            continue
        target = (page.parent / unquote(url.path)).resolve() if url.path else page
        assert target.is_relative_to(ROOT), f"{place} leads out of the project"
        assert target.exists(), f"{place} does not exist"
        if url.fragment:
            assert target.suffix == ".md", f"{place}: only a page has anchors"
            assert url.fragment in anchors(target), f"{place}: there is no such heading"
        if link.is_picture:
            assert len(link.text) > 10, f"{place} says nothing to those who cannot see it"


@pytest.mark.parametrize("card", CARDS, ids=_name)
def test_a_card_links_to_nothing_outside_of_its_folder(card: Path) -> None:
    """A folder is the whole content of a Hub repo: its card cannot link to what lies outside."""
    for link in links(card):
        if not urlsplit(link.target).scheme and not link.target.startswith("#"):
            assert (card.parent / link.target).resolve().is_relative_to(card.parent), link.target


def test_pictures_are_shown_and_small() -> None:
    shown = {(page.parent / link.target).resolve() for page in PAGES for link in links(page) if link.is_picture}
    there = {path for path in PICTURES.iterdir() if path.suffix in (".png", ".webp")}
    assert there == {path for path in shown if path.parent == PICTURES}
    for path in there:
        assert path.stat().st_size < MOST_BYTES, f"{path.name} has {path.stat().st_size} bytes"
        with Image.open(path) as picture:
            picture.verify()
            assert picture.width <= 2000, f"{path.name} is {picture.width} px wide"
