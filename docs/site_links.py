"""For mkdocs: links from a page to files outside of docs/ lead to the repository."""

import re

_OUTSIDE = re.compile(r"\]\(\.\./([^)]+)\)")


def on_page_markdown(markdown: str, *, config, **_kwargs) -> str:
    """Rewrite `](../path)`; a page of docs/reference/ that links to docs/ is left alone."""
    root = f"{config['repo_url']}/blob/main"
    return _OUTSIDE.sub(lambda link: f"]({root}/{link[1]})", markdown)
