"""From a model on the Hub, an endpoint or a Python function to the videos of a benchmark.

A generator is an object with the attributes and methods of `Generator`, or a function of one `Request`.
"""

from opens2v_hf.generators.families import FAMILIES, Family
from opens2v_hf.generators.recipe import Recipe
from opens2v_hf.generators.request import Generated, Generator, GeneratorInfo, Request

__all__ = ["FAMILIES", "Family", "Generated", "Generator", "GeneratorInfo", "Recipe", "Request"]
