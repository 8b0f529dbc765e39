"""For mkdocstrings: formulas and examples of docstrings in the forms that it knows."""

import re

import griffe

_FORMULA = re.compile(r"^( *)\.\. math:: (.+(?:\n\1 +\S.*)*)", re.MULTILINE)
_EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)


class Docstrings(griffe.Extension):
    """Rewrites `.. math::` to a fence, and `Example:`, which would be an admonition, to a section of code."""

    def on_instance(self, *, obj: griffe.Object, **_kwargs) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            text = _FORMULA.sub(r"\1```math\n\1\2\n\1```", obj.docstring.value)
            obj.docstring.value = _EXAMPLE.sub(r"\1Examples:", text)
