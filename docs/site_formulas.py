"""For mkdocs: formulas as MathML, which browsers draw without a script."""

import html
import re

from latex2mathml.converter import convert

_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)


def on_config(config, **_kwargs):
    """Take fences of the language "math" for formulas."""
    fence = {"name": "math", "class": "math", "format": _block}
    config["mdx_configs"]["pymdownx.superfences"] = {"custom_fences": [fence]}
    return config


def on_page_content(content: str, **_kwargs) -> str:
    """Replace the elements that `pymdownx.arithmatex` makes of `$...$`."""
    return _INLINE.sub(lambda found: convert(html.unescape(found[1])), content)


def _block(source: str, *_args, **_kwargs) -> str:
    return f'<div style="overflow-x: auto">{convert(source, display="block")}</div>'
