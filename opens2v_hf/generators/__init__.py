"""From a model on the Hub, an endpoint or a Python function to the videos of a benchmark.

A generator is anything with the attributes and the method of `Generator`; a plain function of one `Request` is one too.
"""

from opens2v_hf.generators.families import FAMILIES, Family
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.request import Generated, Generator, GeneratorInfo, Request

__all__ = ["FAMILIES", "Family", "Generated", "Generator", "GeneratorInfo", "Recipe", "Request"]
