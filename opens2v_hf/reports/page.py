"""Shared by the pages of this folder: the template environment, data URLs, and the removal of paths."""

from __future__ import annotations

import base64
import re
from typing import Any

import jinja2
from markupsafe import Markup, escape
from PIL import Image

from opens2v_hf._util.data_url import picture_url

_JPEG_QUALITY = 82
_MAX_NAME = 60
"""Characters of a name in a sentence."""

# the second alternative leaves addresses, fractions and closing tags alone: a path begins a word and has two parts
_WHOLE_PATH = re.compile(r"(?:file://)?(?:/|~[\w.-]*/|[A-Za-z]:[\\/]|\\\\)[^\n<>]*")
_PATH_IN_TEXT = re.compile(
    r"(?:(?<![\w:/.~+-])|(?<=\bfile://))(?:~[\w.-]*(?:/[^\s'\"<>:;,()\[\]{}]+)+|(?:/[^\s'\"<>:;,()\[\]{}]+){2,}"
    r"|[A-Za-z]:(?:[\\/][^\s'\"<>:;,()\[\]{}]+)+)/?"
)


def environment() -> jinja2.Environment:
    """The environment of the templates, which escapes everything and cuts absolute paths to their last part."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("opens2v_hf.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_without_folders,
    )
    made.filters["breakable"] = breakable
    made.filters["name"] = name_in_a_table
    made.filters["short"] = lambda name: with_short_names(name, name)
    made.filters["with_short_names"] = with_short_names
    return made


def data_url(picture: Image.Image) -> Markup:
    """A picture as a data URL of a JPEG file."""
    return Markup(picture_url(picture, "jpeg", quality=_JPEG_QUALITY))  # noqa: S704 - base64 only


def jpeg_url(data: bytes) -> Markup:
    """The bytes of a JPEG file as a data URL; markup, since base64 needs no escaping and may look like a path."""
    return Markup(f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}")  # noqa: S704 - base64 only


def breakable(name: str) -> Markup:
    """A name that a narrow column may break between its words; escaped."""
    return Markup("<wbr>").join(re.split(r"(?<=[a-z])(?=[A-Z])|(?<=[_-])(?=[^_-])", hide_folders(name)))


def name_in_a_table(name: str) -> Markup:
    """A name of which a table shows four lines (the style sheet's `.name`), and all to who points at it; escaped."""
    return Markup('<span class="name" title="{}">{}</span>').format(hide_folders(name), breakable(name))


def with_short_names(text: str, *names: str) -> Markup:
    """A text in which long ones of these names are cut, and shown whole to who points at them; escaped.

    Example:
        >>> with_short_names("m is ahead of " + "n" * 70, "m", "n" * 70)[-22:]
        Markup('nnnnnnnnnnnnnn…</span>')
    """
    long = sorted({hide_folders(name) for name in names if len(name) > _MAX_NAME}, key=len, reverse=True)
    shown = hide_folders(text)
    if not long:
        return escape(shown)
    cut = Markup('<span title="{}">{}…</span>')
    parts = re.split(f"({'|'.join(map(re.escape, long))})", shown)
    return Markup("").join(cut.format(part, part[: _MAX_NAME - 1]) if part in long else part for part in parts)


def hide_folders(text: str) -> str:
    r"""The text with each absolute path cut down to its last part: a page is given to others.

    Example:
        >>> hide_folders("/home/me/my videos/alpha"), hide_folders("cannot read /home/me/a.mp4: it is cut short")
        ('alpha', 'cannot read a.mp4: it is cut short')
        >>> hide_folders(r"C:\Users\me\a.mp4"), hide_folders("hf://datasets/org/name, 30/32, n/a")
        ('a.mp4', 'hf://datasets/org/name, 30/32, n/a')
    """
    if _WHOLE_PATH.fullmatch(text) and not re.search(r":\s", text):
        return _last_part(text)
    return _PATH_IN_TEXT.sub(lambda found: _last_part(found[0]), text)


def _last_part(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1] or "/"


def _without_folders(value: Any) -> Any:
    if isinstance(value, Markup | int | float):
        return value
    return hide_folders(str(value))
