import pytest

from opens2v_hf.errors import ArgumentError
from opens2v_hf.generators import FAMILIES, Recipe


def test_a_recipe_over_another_keeps_what_it_leaves_open():
    base = Recipe(width=832, steps=50, negative_prompt="", extra={"a": 1, "b": 2})
    merged = Recipe(steps=20, guidance=0.0, extra={"b": 3}).over(base)
    assert merged == Recipe(width=832, steps=20, guidance=0.0, negative_prompt="", extra={"a": 1, "b": 3})


@pytest.mark.parametrize("ending", [".json", ".yaml"])
def test_recipes_are_read_from_files(tmp_path, ending):
    path = tmp_path / f"recipe{ending}"
    path.write_text('{"steps": 30, "fps": 12.5, "extra": {"flow": true}}', encoding="utf-8-sig")
    assert Recipe.from_file(path) == Recipe(steps=30, fps=12.5, extra={"flow": True})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"stepz": 3}', "unknown settings stepz"),
        ('{"steps": 0}', "steps must be a whole number of at least 1 (got 0)"),
        ('{"steps": true}', "steps must be a whole number"),
        ('{"fps": -1}', "fps must be above 0 (got -1)"),
        ('{"guidance": .inf}', "guidance must be a finite number"),
        ("[1]", "must map settings to values"),
        ("{", "cannot read the recipe"),
        ('{"negative_prompt": 3}', "negative_prompt must be text (got 3)"),
        ('{"extra": 3}', "extra must map"),
    ],
)
def test_wrong_recipes_are_named(tmp_path, content, words):
    path = tmp_path / "recipe.yaml"
    path.write_text(content)
    with pytest.raises(ArgumentError) as raised:
        Recipe.from_file(path)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("family", "frames", "near"),
    [
        ("WanVACEPipeline", 80, "choose 77 or 81"),
        ("WanVACEPipeline", 8, "choose 5 or 9"),
        ("MiniMaxH3ModularPipeline", 121, "choose 107 or 124"),
        ("CogVideoXImageToVideoPipeline", 48, "choose 41 or 49"),
    ],
)
def test_lengths_that_a_class_would_change_are_refused(family, frames, near):
    with pytest.raises(ArgumentError, match=near):
        FAMILIES[family].check_recipe(Recipe(num_frames=frames))


def test_default_recipes_pass_their_own_family():
    for family in FAMILIES.values():
        family.check_recipe(family.recipe)


def test_sizes_that_a_class_would_change_are_refused():
    with pytest.raises(ArgumentError, match="width must be a multiple of 16"):
        FAMILIES["WanVACEPipeline"].check_recipe(Recipe(width=850))
