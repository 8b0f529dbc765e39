from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
from helpers.tiny_q_align import save_tiny_q_align
from safetensors.torch import load_file, save_file

from opens2v_hf._util.threads import MAX_THREADS
from opens2v_hf.errors import ArgumentError, ModelError
from opens2v_hf.models.q_align.preprocess import FramePreprocessor
from opens2v_hf.models.q_align.prompt import IMAGE_MARK, VIDEO_PROMPT
from opens2v_hf.models.q_align.scorer import QAlignScorer
from opens2v_hf.scores.motion_smoothness import LEVELS, level_scores, windows

LAYOUTS = ("safetensors", "bin", "safetensors shards", "bin shards")


def some_frames(count: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, 12, 20, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("q-align")
    save_tiny_q_align(path)
    return path


@pytest.fixture
def scorer(folder: Path) -> QAlignScorer:
    return QAlignScorer.from_pretrained(folder, device="cpu")


def scored_alone(scorer: QAlignScorer, frames: list[np.ndarray]) -> list[float]:
    """Every window by itself, each of its frames encoded anew."""
    found = []
    for indices in windows(len(frames)):
        pixels = torch.cat([scorer.preprocessor([frames[index]]) for index in indices])
        with torch.inference_mode():
            logits = scorer.network.level_logits(scorer.network.encode_frames(pixels)[None], scorer.prompt)
        found += level_scores(logits.numpy()).tolist()
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 12])
@pytest.mark.parametrize("batch_tokens", [1, 60, 8192])
def test_scores_are_those_of_windows_scored_alone(folder: Path, count: int, batch_tokens: int) -> None:
    scorer = QAlignScorer.from_pretrained(folder, device="cpu", batch_tokens=batch_tokens)
    frames = some_frames(count)
    expected = scored_alone(scorer, frames)
    assert count < 3 or np.ptp(expected) > 1e-4  # else the windows would not differ
    np.testing.assert_allclose(scorer.score_frames(iter(frames)), expected, atol=2e-6)


def test_the_prompt_in_front_of_the_frames_is_computed_once(scorer: QAlignScorer) -> None:
    scorer.batch_tokens = 1  # one window at a time
    lengths: list[int] = []
    norm = scorer.network.model.layers[0].input_layernorm.multiway[0]
    norm.register_forward_hook(lambda _module, inputs, _output: lengths.append(inputs[0].shape[1]))
    for _ in range(2):
        scorer.score_frames(some_frames(4))
    # the keys and values of the first layer are computed once, and its output once
    assert lengths.count(len(scorer.prompt.before)) == 2
    assert lengths.count(len(scorer.prompt.after)) == 2 * 4


def test_the_fixture_clip_scores_as_its_windows(shared_data: Path) -> None:
    """The released network's own logits for B are those of the window around the middle of its three frames."""
    source = shared_data / "tiny-q-align"
    inputs, stages = np.load(source / "inputs.npz"), np.load(source / "stages_fp32.npz")
    from transformers import CLIPImageProcessorPil

    from opens2v_hf.models.info import ModelInfo
    from opens2v_hf.models.q_align.config import QAlignConfig
    from opens2v_hf.models.q_align.network import PromptIds, QAlign

    network = QAlign(QAlignConfig.from_file(source / "config.json")).eval()
    network.load_state_dict(load_file(source / "model.safetensors"))
    ids = inputs["input_ids"].tolist()
    at = ids.index(-200)
    prompt = PromptIds(tuple(ids[:at]), tuple(ids[at + 1 :]), tuple(inputs["level_ids"].tolist()))
    preprocessor = FramePreprocessor(CLIPImageProcessorPil.from_pretrained(source))
    scorer = QAlignScorer(network, prompt, preprocessor, ModelInfo("quality_scorer", "fixture"))
    for video in ("B", "C"):
        scores = scorer.score_frames(inputs[f"frames_{video}"])
        assert scores[1] == pytest.approx(float(stages[f"{video}/score"][0]), abs=2e-6)


def test_each_frame_is_encoded_once_and_forgotten_in_time(scorer: QAlignScorer) -> None:
    scorer.batch_tokens = 5 * scorer.network.config.vision.num_tokens
    encode = scorer.network.encode_frames
    encoded: list[int] = []
    alive: list[weakref.ref[torch.Tensor]] = []
    taken = most = 0

    def counting(pixels: torch.Tensor) -> torch.Tensor:
        nonlocal most
        encoded.append(len(pixels))
        features = encode(pixels)
        alive.append(weakref.ref(features))
        most = max(most, sum(reference() is not None for reference in alive))
        assert sum(encoded) <= taken <= sum(encoded) + MAX_THREADS + 1  # few frames are taken before they are needed
        return features

    def decoded() -> Iterator[np.ndarray]:
        nonlocal taken
        for frame in some_frames(200):
            taken += 1
            yield frame

    scorer.network.encode_frames = counting  # type: ignore[method-assign]
    assert len(scorer.score_frames(decoded())) == sum(encoded) == 200
    assert max(encoded) == 5
    assert most <= 4


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_files_loads_the_same_network(tmp_path: Path, layout: str) -> None:
    saved = save_tiny_q_align(tmp_path, layout=layout).state_dict()
    scorer = QAlignScorer.from_pretrained(tmp_path, device="cpu")
    loaded = scorer.network.state_dict()
    assert loaded.keys() == saved.keys()
    assert all(torch.equal(loaded[key], saved[key]) for key in saved)
    assert not any(parameter.requires_grad or parameter.is_meta for parameter in scorer.network.parameters())
    assert not scorer.network.training
    assert scorer.info.role == "quality_scorer"
    assert (scorer.info.revision or "").startswith("sha256:")
    assert (scorer.info.dtype, scorer.info.device) == ("float32", "cpu")


def test_a_repo_that_cannot_be_had_is_named() -> None:
    with pytest.raises(ModelError, match="'org/no-such-scorer' cannot be loaded"):
        QAlignScorer.from_pretrained("org/no-such-scorer", device="cpu")


def test_half_precision_gives_half_precision_scores(folder: Path) -> None:
    frames = some_frames(5)
    exact = QAlignScorer.from_pretrained(folder, device="cpu").score_frames(frames)
    for dtype, tolerance in (("float16", 4e-3), ("bfloat16", 5e-2)):
        scorer = QAlignScorer.from_pretrained(folder, device="cpu", dtype=dtype)
        assert scorer.info.dtype == dtype
        scores = np.array(scorer.score_frames(frames))
        np.testing.assert_allclose(scores, exact, atol=tolerance)
        if dtype == "float16":
            np.testing.assert_array_equal(scores, scores.astype(np.float16))


def test_the_prompt_is_cut_at_the_frames_and_begins_once(scorer: QAlignScorer) -> None:
    # ids of the tiny tokenizer: <unk>, <s>, </s>, then words and signs in the order of the text, then the levels
    assert scorer.prompt.before == (1, *range(3, 15))  # <s> USER : How would you rate the quality of this video ?
    assert scorer.prompt.after == (15, 4, 16, 10, 11, 9, 13, 17)  # ASSISTANT : The quality of the video is
    assert scorer.prompt.levels == (18, 19, 20, 21, 22)


def test_a_sentencepiece_tokenizer_gives_the_ids_of_sentencepiece(tmp_path: Path) -> None:
    """As the released repo holds it: tokenizer.model alone, and a configuration that names code of the repo."""
    save_tiny_q_align(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).unlink()
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join([*VIDEO_PROMPT.replace(IMAGE_MARK, "").split("\n"), *[" ".join(LEVELS)] * 3] * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(tmp_path / "tokenizer"), vocab_size=350, model_type="bpe",
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "configuration_mplug_owl2.MPLUGOwl2Config"}
    (tmp_path / "config.json").write_text(json.dumps(config | {"vocab_size": 400}))
    words = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "legacy": False, **words})
    )
    state = load_file(tmp_path / "model.safetensors")
    for key in ("lm_head.weight", "model.embed_tokens.weight"):
        state[key] = torch.zeros(400, state[key].shape[1])
    save_file(state, tmp_path / "model.safetensors")

    prompt = QAlignScorer.from_pretrained(tmp_path, device="cpu").prompt
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "tokenizer.model"))
    before, after = VIDEO_PROMPT.split(IMAGE_MARK)
    assert prompt.before == (1, *pieces.encode(before))
    assert prompt.after == tuple(pieces.encode(after))
    assert prompt.levels == tuple(pieces.encode(level)[0] for level in LEVELS)
    # the line break is a byte of its own behind the space that begins every text
    assert [pieces.id_to_piece(index) for index in prompt.after[:2]] == ["▁", "<0x0A>"]


def test_no_frames_are_an_error(scorer: QAlignScorer) -> None:
    with pytest.raises(ArgumentError, match="it has none"):
        scorer.score_frames([])


def test_overflowing_logits_are_an_error(scorer: QAlignScorer) -> None:
    scorer.network.lm_head.weight.fill_(float("inf"))
    with pytest.raises(ArgumentError, match="not finite"):
        scorer.score_frames(some_frames(3))


@pytest.mark.parametrize("batch_tokens", [0, -1, 1.5, True])
def test_batches_hold_a_token(folder: Path, batch_tokens: int) -> None:
    with pytest.raises(ArgumentError, match="batch_tokens must be"):
        QAlignScorer.from_pretrained(folder, device="cpu", batch_tokens=batch_tokens)


def _drop_weight(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    del state["model.norm.weight"]
    save_file(state, folder / "model.safetensors")


def _another_shape(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    save_file(state | {"model.norm.weight": torch.ones(3)}, folder / "model.safetensors")


def _more_layers(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    extra = {
        "model.layers.2.mlp.up_proj.weight": torch.ones(3),
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(1),
    }
    save_file(state | extra, folder / "model.safetensors")


def _pickled_code(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"model.norm.weight": Path("code")}, folder / "pytorch_model.bin")


def _shards_elsewhere(folder: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _shard_missing(folder: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "gone.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _bad_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text("[]")


def _truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def _another_size(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text().replace("28", "42"))


def _without_beginning(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(
        json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "bos_token"})
    )


def _one_level_for_all(folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace('"good"', '"well"').replace('"fair"', '"mean"'))


def _few_words(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"vocab_size": 20}))
    state = load_file(folder / "model.safetensors")
    keys = ("lm_head.weight", "model.embed_tokens.weight")
    save_file(state | {key: state[key][:20].clone() for key in keys}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_drop_weight, r"1 tensors missing \(model\.norm\.weight\)"),
        (_another_shape, r"model\.norm\.weight is \[3\] and should be \[24\]"),
        (_more_layers, r"has 1 tensors of layers that config\.json does not know \(model\.layers\.2"),
        (_pickled_code, r"pytorch_model\.bin cannot be read as weights"),
        (_shards_elsewhere, "files outside its own folder"),
        (_shard_missing, "gone.safetensors, which is not there"),
        (_bad_index, "cannot be read as an index"),
        (_truncated, r"model\.safetensors cannot be read"),
        (_another_size, "28x28 px, and its preprocessor_config.json makes 42x42"),
        (_without_beginning, "no token for the beginning"),
        (_one_level_for_all, "a token for each level"),
        (_few_words, "knows 20 tokens, and its tokenizer gives the id 22"),
        (lambda folder: (folder / "config.json").unlink(), r"config\.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "cannot be loaded"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "cannot be loaded"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    save_tiny_q_align(tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelError, match=message):
        QAlignScorer.from_pretrained(tmp_path, device="cpu")
