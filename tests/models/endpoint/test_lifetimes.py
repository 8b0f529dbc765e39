from __future__ import annotations

import warnings
from datetime import UTC, date, datetime

import pytest

from opens2v_hf.errors import ModelError
from opens2v_hf.models.endpoint.lifetimes import ShutdownWarning, utc_date
from opens2v_hf.models.judge.endpoint import EndpointJudge
from opens2v_hf.models.judge.loading import check_judge, load_judge
from opens2v_hf.models.roles import ROLES, ModelChoice, check_models

RELEASED = "openai:gpt-4o-2024-11-20"


def at(*day: int) -> float:
    return datetime(*day, tzinfo=UTC).timestamp()  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-this-test")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


def test_the_shutdown_date_is_in_the_table_of_roles() -> None:
    assert ROLES["judge"].shutdown == date(2027, 1, 14)
    assert all(role.shutdown is None for name, role in ROLES.items() if name != "judge")


def test_no_warning_31_days_before_the_shutdown() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_judge(RELEASED, now=lambda: at(2026, 12, 14, 23, 59))


@pytest.mark.parametrize(("day", "left"), [((2026, 12, 15), 30), ((2027, 1, 13, 23, 59), 1)])
def test_from_30_days_before_it_is_warned(day: tuple[int, ...], left: int) -> None:
    with pytest.warns(ShutdownWarning, match=rf"2027-01-14, in {left} days.*`judge=") as caught:
        load_judge(RELEASED, now=lambda: at(*day))
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_judge(RELEASED, now=lambda: at(*day))  # the judge that is loaded afterwards warns


@pytest.mark.parametrize("day", [(2027, 1, 14), (2030, 6, 1)])
def test_from_the_shutdown_day_on_it_is_an_error_with_alternatives(day: tuple[int, ...]) -> None:
    with pytest.raises(ModelError) as caught:
        load_judge(RELEASED, now=lambda: at(*day))
    ways = ("`judge=naturalscore-open-1`", "`judge=openai:", "`base_url=`", "`judge=Qwen/")
    for words in ("shut down by its maker on 2027-01-14", *ways):
        assert words in str(caught.value)
    with pytest.raises(ModelError, match="shut down"):
        check_models({"judge": ModelChoice(RELEASED, {"now": lambda: at(*day)})})


def test_other_models_and_other_endpoints_are_not_concerned(monkeypatch: pytest.MonkeyPatch) -> None:
    late = at(2030, 1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_judge("openai:gpt-5", now=lambda: late)
        load_judge(RELEASED, base_url="https://my.server/v1", now=lambda: late)
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        load_judge(RELEASED, now=lambda: late)
        monkeypatch.delenv("OPENAI_BASE_URL")
        load_judge(RELEASED, base_url="https://notapi.openai.com/v1", now=lambda: late)


@pytest.mark.parametrize(
    "base_url",
    ["https://api.openai.com/v1/", "https://API.openai.com:443/v1", "https://eu.api.openai.com/v1"],
)
def test_the_maker_has_one_end_at_all_its_addresses(base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-test")
    with pytest.raises(ModelError, match="shut down"):
        EndpointJudge(RELEASED, base_url=base_url, now=lambda: at(2030, 1, 1))


def test_days_are_those_of_utc() -> None:
    assert utc_date(at(2027, 1, 14) - 1) == date(2027, 1, 13)
