"""The parts of a Markdown page: blocks of code, links, and the anchors that links may name."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

_NEEDS = re.compile(r"# needs (?P<what>.+)")


@dataclass(frozen=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: path of the page, relative to the project.
        line: of its opening fence, from 1.
        language: as the fence names it.
        text: between the fences.
    """

    page: str
    line: int
    language: str
    text: str

    @property
    def needs(self) -> str:
        """What the block needs that a test does not have, as its own first line says; empty where it needs nothing."""
        first = _NEEDS.match(self.text)
        return first["what"] if first else ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Link:
    """A link or a picture.

    Attributes:
        line: on which its paragraph begins, from 1.
        target: as written.
        is_picture: whether it is shown, not followed.
        text: what is linked, or said in place of the picture.
    """

    line: int
    target: str
    is_picture: bool
    text: str


def parse(path: Path) -> list[Token]:
    """The tokens of a page, its front matter left out."""
    return MarkdownIt("commonmark").enable("table").parse(_body(path))


def _body(path: Path) -> str:
    """The page, with empty lines in place of its front matter so that line numbers stay right."""
    text = path.read_text("utf-8")
    if not text.startswith("---\n"):
        return text
    end = text.index("\n---\n", 4) + len("\n---\n")
    return "\n" * text.count("\n", 0, end) + text[end:]


def blocks(path: Path, root: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    page = path.relative_to(root).as_posix()
    return [
        Block(page, token.map[0] + 1, token.info.strip(), token.content)
        for token in parse(path)
        if token.type == "fence" and token.map
    ]


def links(path: Path) -> list[Link]:
    """The links and pictures of a page, in order."""
    found = []
    for token in parse(path):
        line = token.map[0] + 1 if token.map else 0
        opened: list[str] = []
        children = token.children or []
        for position, child in enumerate(children):
            if child.type == "image":
                found.append(Link(line, str(child.attrs["src"]), True, child.content))
            elif child.type == "link_open":
                opened.append(str(child.attrs["href"]))
                text = "".join(other.content for other in children[position + 1 :])
                found.append(Link(line, opened[-1], False, text))
    return found


def anchors(path: Path) -> set[str]:
    """The fragments that a link to the page may have: its headings, as GitHub and the Hub name them."""
    tokens = parse(path)
    found: dict[str, int] = {}
    names = set()
    for opening, inline in itertools.pairwise(tokens):
        if opening.type != "heading_open":
            continue
        shown = "".join(child.content for child in inline.children or [])
        name = re.sub(r"[^\w\- ]", "", shown.strip().lower()).replace(" ", "-")
        found[name] = found.get(name, -1) + 1
        names.add(f"{name}-{found[name]}" if found[name] else name)
    return names
