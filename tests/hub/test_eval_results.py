"""The entries of a model's repo: what they say, and how they live with those of others."""

from functools import cache

import pytest
import yaml
from helpers.submissions import HUMAN_WEIGHTS, OPEN_WEIGHTS, columns_of, make_whole_result, raw_values
from huggingface_hub import DatasetCard, EvalResultEntry, parse_eval_result_entries

from opens2v_hf.errors import ResultError
from opens2v_hf.hub.eval_results import eval_entries, merge_entries, task_ids
from opens2v_hf.hub.eval_yaml import FRAMEWORKS, check_eval_yaml
from opens2v_hf.hub.folders import hub_folder
from opens2v_hf.scores.scorecard import COLUMNS


@cache
def entries_of(split="open-domain", **options):
    result = make_whole_result(split, **options)
    return eval_entries(result, result.scorecard(), revision="c0ffee", user="org")


def test_a_task_for_the_total_of_each_split():
    folder = hub_folder("dataset_scripts", "opens2v-eval")
    registered = check_eval_yaml((folder / "eval.yaml").read_text())
    card = DatasetCard.load(folder / "README.md").data
    configs = {config["config_name"]: {files["split"] for files in config["data_files"]} for config in card["configs"]}
    assert [task.id for task in registered.tasks] == list(task_ids())
    assert list(task_ids()) == ["open_domain_total", "human_domain_total", "single_domain_total"]
    for task in registered.tasks:
        assert task.split in configs[task.config]
        assert task.config == task_ids()[task.id]
    assert registered.evaluation_framework in (None, *FRAMEWORKS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evaluation_framework": "opens2v-hf"}, "'opens2v-hf' is not on the Hub's list of 20"),
        ({"evaluation_framework": "inspect-ai"}, "inspect-ai needs field_spec, scorers, solvers in the task a"),
        (
            {
                "evaluation_framework": "inspect-ai",
                "tasks": [{"id": "a", "field_spec": None, "solvers": [], "scorers": [1]}],
            },
            "inspect-ai needs field_spec, solvers in the task a",
        ),
        ({"tasks": []}, "tasks"),
        ({"tasks": [{"id": " "}]}, r"tasks\.0\.id: .*visible text"),
        ({"tasks": [{"id": "a b"}]}, r"tasks\.0\.id: .*one word"),
        ({"tasks": [{"id": "a\u200b"}]}, r"tasks\.0\.id: .*visible text"),
        ({"tasks": [{"id": "a", "split": ""}]}, r"tasks\.0\.split: .*visible text"),
        ({"name": " "}, "name: .*visible text"),
        ({"tasks": [{"id": "a"}, {"id": "a"}]}, "the same id"),
        ({"tasks": [{"config": "a"}]}, r"tasks\.0\.id"),
        ({"name": ""}, "name"),
        ({"description": None}, "description"),
    ],
)
def test_a_file_that_the_hub_would_refuse_is_not_published(changes, said):
    good = {"name": "A", "description": "B", "tasks": [{"id": "a"}], "evaluation_framework": "wbench"}
    check_eval_yaml(yaml.safe_dump(good))
    with pytest.raises(ResultError, match=said):
        check_eval_yaml(yaml.safe_dump({**good, **changes}))


@pytest.mark.parametrize(
    "content",
    [
        "a: [",
        "[" * 5_000,
        "date: 2026-13-45",
        "a: !!python/object/apply:os.getcwd []",
        "a: 1\na: 2",
        "a: &x [*x, {b: 1, b: 2}]",
    ],
)
def test_a_file_that_is_not_yaml_is_not_published(content):
    with pytest.raises(ResultError, match="cannot be read as YAML"):
        check_eval_yaml(content)


@pytest.mark.parametrize(("split", "weights"), [("open-domain", OPEN_WEIGHTS), ("human-domain", HUMAN_WEIGHTS)])
def test_the_total_is_in_percent_and_its_notes_hold_the_columns(split, weights):
    columns, counts = columns_of(raw_values(split, 0))
    (entry,) = entries_of(split)
    assert entry.task_id == f"{split.replace('-', '_')}_total"
    assert entry.value == pytest.approx(
        100 * sum(weight * columns[name] for name, weight in weights.items()), abs=0.006
    )
    for name, value in columns.items():
        assert f"{COLUMNS[name].title} {100 * value:.2f} (mean of {counts[name]} videos" in entry.notes
    assert (entry.dataset_id, entry.dataset_revision) == ("BestWishYsh/OpenS2V-Eval", "c0ffee")
    assert (entry.date, entry.source_name, entry.source_user) == ("2026-01-01", "opens2v-hf", "org")
    assert "OpenS2V-Eval v1.1, released scoring" in entry.notes
    assert "95 % interval over prompts" in entry.notes
    assert "embedder Alibaba-NLP/gme-Qwen2-VL-7B-Instruct@c0ffee" in entry.notes
    assert "the rubric is this project's own text" in entry.notes


def test_a_result_without_a_total_has_no_entry():
    result = make_whole_result()
    partial = type(result)(**{**vars(result), "metrics": result.metrics[:3]})
    with pytest.raises(ResultError, match="has no total"):
        eval_entries(partial, partial.scorecard())


def test_embedded_numbers_say_so():
    (entry,) = entries_of(embedded=True)
    assert "not comparable with any leaderboard" in entry.notes


def test_the_hubs_client_reads_what_is_written():
    entries = entries_of()
    assert parse_eval_result_entries(yaml.safe_load(merge_entries("", entries))) == entries


FOREIGN = """\
# a comment of others
- dataset: {id: cais/hle, task_id: default, revision: abc}
  value: 20.9
  verifyToken: secret
  unknown: field
  seconds: 12:30  # a number for YAML 1.1, a text for the Hub
- dataset: {id: BestWishYsh/OpenS2V-Eval, task_id: open_domain_total}
  value: 1.5
  source: {url: https://example.org, name: somebody}
"""


def test_own_entries_are_replaced_and_foreign_ones_unchanged():
    foreign = yaml.safe_load(FOREIGN)
    first = merge_entries(FOREIGN, entries_of(seed=1))
    second = merge_entries(first, entries_of(seed=2))
    held = yaml.safe_load(second)
    assert held[:2] == foreign
    assert second.startswith(FOREIGN)
    assert len(held) == 2 + 1
    assert held[2]["value"] == entries_of(seed=2)[0].value != entries_of(seed=1)[0].value
    both = yaml.safe_load(merge_entries(second, entries_of("human-domain")))
    assert both[:3] == held
    assert len(both) == 3 + 1


@pytest.mark.parametrize(
    "content",
    [
        "[{dataset: {id: a}, value: 1}]",
        "  - dataset: {id: a}",
        "- &a\n  dataset: {id: a}\n- *a",
        "- dataset: {id: a}\n...",
        "\ufeff- dataset: {id: a}",
        "- dataset: {id: a}\n  note: |+\n    x\n\n\n",
        '- dataset: {id: a}\n  note: "x\n# y"\n- dataset: {id: b}\n',
    ],
)  # fmt: skip
def test_other_forms_of_the_file_keep_their_values(content):
    merged = yaml.safe_load(merge_entries(content, entries_of()))
    assert merged[:-1] == yaml.safe_load(content)
    assert merged[-1]["value"] == entries_of()[0].value


def test_comments_above_an_entry_of_others_are_unchanged():
    own = merge_entries("", entries_of(seed=1))
    merged = merge_entries(own + FOREIGN, entries_of(seed=2))
    assert merged.endswith(FOREIGN)
    assert merged != own + FOREIGN
    quoted = '- dataset: {id: a}\n  note: "x\n# y"\n'
    merged = yaml.safe_load(merge_entries(quoted + own, entries_of(seed=2)))
    assert merged == [*yaml.safe_load(quoted), *yaml.safe_load(merge_entries("", entries_of(seed=2)))]


def test_the_same_again_changes_no_byte():
    once = merge_entries("", entries_of())
    commented = "# a comment\n" + once
    assert merge_entries(commented, entries_of()) == commented


def test_duplicate_own_entries_are_merged():
    once = merge_entries("", entries_of(seed=1))
    assert len(yaml.safe_load(merge_entries(once + once, entries_of(seed=2)))) == 1
    other = EvalResultEntry("BestWishYsh/OpenS2V-Eval", "human_domain_total", 1.0)
    assert len(yaml.safe_load(merge_entries(once + once, [other]))) == 2


def test_a_verified_entry_is_not_replaced():
    verified = yaml.safe_load(merge_entries("", entries_of(seed=1)))
    verified[0]["verifyToken"] = "token"
    held = yaml.safe_load(merge_entries(yaml.safe_dump(verified), entries_of(seed=2)))
    assert held[0] == verified[0]
    assert len(held) == 2


def test_an_entry_without_a_task_is_unchanged():
    odd = "- dataset: {id: [1], task_id: {a: b}}\n  value: 1\n  source: {name: opens2v-hf}\n"
    held = yaml.safe_load(merge_entries(odd, entries_of()))
    assert held[0] == yaml.safe_load(odd)[0]
    assert len(held) == 1 + 1


@pytest.mark.parametrize(
    "content",
    [
        "a: [", "just: a mapping", "- 3", "- {value: 3}", "- {dataset: hle}", "[" * 50_000,
        "- {dataset: {id: a}}\n---\n3", "- !!python/object/apply:os.getcwd []",
        "- {dataset: {id: a}, date: 2026-13-45}",
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_list_of_entries_raises_and_is_not_overwritten(content):
    with pytest.raises(ResultError, match="fix it first") as raised:
        merge_entries(content, entries_of())
    assert "\n" not in str(raised.value)
