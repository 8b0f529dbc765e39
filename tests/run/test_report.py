import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers.results import make_result

from opens2v_hf.errors import ArgumentError, ResultError
from opens2v_hf.models.info import EMBEDDED_NOTE
from opens2v_hf.run.report import write_report


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def _parse(page: Path) -> _Tags:
    parser = _Tags()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_the_page_is_self_contained_and_names_models_values_and_failures(tmp_path: Path) -> None:
    page = write_report([make_result("alpha"), make_result("beta", (0.9, 0.7, 0.8))], tmp_path)
    parsed = _parse(page)
    for words in ("alpha", "beta", "0.800", "broken file", "singleobj_2", "humanobj_1", "notes.txt"):
        assert words in parsed.text
    sources = [attributes.get("src") or "" for tag, attributes in parsed.seen if tag == "img"]
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not any(tag in {"script", "link", "iframe"} for tag, _ in parsed.seen)


def test_plots_are_written_as_png_files_of_a_sensible_size(tmp_path: Path) -> None:
    write_report([make_result()], tmp_path)
    for name in ("metrics.png", "categories-gmescore.png"):
        data = (tmp_path / name).read_bytes()
        assert data.startswith(b"\x89PNG\r\n")
        width, height = struct.unpack(">II", data[16:24])
        assert width > 300
        assert height > 100


def test_markup_in_names_and_reasons_stays_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    parsed = _parse(write_report([make_result(evil, (0.5, None), reason=evil)], tmp_path))
    assert evil in parsed.text
    assert not any(tag == "script" or "onerror" in attributes for tag, attributes in parsed.seen)


def test_embedded_results_carry_their_warning(tmp_path: Path) -> None:
    assert EMBEDDED_NOTE in _parse(write_report([make_result(embedded=True)], tmp_path)).text


def test_a_metric_without_any_value_is_shown_as_such(tmp_path: Path) -> None:
    assert "none (2 failed)" in _parse(write_report([make_result(values=(None, None))], tmp_path)).text


def test_no_result_or_two_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="at least one"):
        write_report([], tmp_path)
    with pytest.raises(ArgumentError, match="own model name"):
        write_report([make_result(), make_result()], tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultError, match="file"):
        write_report([make_result()], tmp_path / "file")
