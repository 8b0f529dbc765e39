import imagehash
import numpy as np
import pytest
from PIL import Image

from opens2v_hf.data.synthetic.render import render_frame
from opens2v_hf.data.synthetic.scenes import draw_scene
from opens2v_hf.video.phash import phash, phash_distance


def picture(seed: int, size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(32, 32), (7, 90), (240, 320), (1, 1)])
def test_it_is_the_hash_of_the_package_imagehash(size: tuple[int, int]) -> None:
    for seed in range(5):
        image = picture(seed, size)
        assert f"{phash(image):016x}" == str(imagehash.phash(Image.fromarray(image)))


@pytest.mark.parametrize(("seed", "expected"), [(0, "c571f886c4d427da"), (1, "9a5c4aa358e3ce5c")])
def test_the_release_of_pillow_decides_nothing(seed: int, expected: str) -> None:
    """The hashes of ImageHash with Pillow 12.3; with Pillow 13.0 it gives c571b887c4d427da and 9a5c4ab258e3ce5c."""
    assert f"{phash(picture(seed, (90, 7))):016x}" == expected


def test_a_scene_has_the_hash_of_the_package_imagehash() -> None:
    frame = render_frame(draw_scene(3, num_frames=8), 0).image
    assert f"{phash(frame):016x}" == str(imagehash.phash(Image.fromarray(frame)))


@pytest.mark.parametrize("level", [1, 77, 255])
def test_of_one_colour_only_the_mean_is_above_the_median(level: int) -> None:
    assert phash(np.full((50, 80, 3), level, np.uint8)) == 1 << 63


def test_a_picture_of_nothing_but_black_has_no_bit() -> None:
    assert phash(np.zeros((9, 9, 3), np.uint8)) == 0


def test_distance_counts_bits() -> None:
    assert phash_distance(0, 2**64 - 1) == 64
    assert phash_distance(5, 5) == 0
