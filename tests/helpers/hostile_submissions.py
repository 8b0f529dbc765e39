"""Submissions that must be refused: a seeded generator of many kinds, each with the code of the refusal."""

from __future__ import annotations

import copy
import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from helpers.submissions import make_submission, replace

from opens2v_hf.leaderboard.submissions.record import Submission

SPLIT = "human-domain"  # the smallest

EXISTING = (
    make_submission(SPLIT, 100, model="VACE-14B", submitted_by="alice", model_id="alice/vace"),
    make_submission(SPLIT, 101, model="Modern-I0", submitted_by="alice"),
    make_submission(SPLIT, 102, model="Kling1.6(20250503)", submitted_by="bob"),
    make_submission(SPLIT, 103, model="Own Model", submitted_by="mallory"),
)
"""What is in the dataset before; "mallory" is who sends the hostile ones."""


@dataclass(frozen=True)
class Hostile:
    """One of them: what it tries, the bytes, the code that refuses it, and where it wants to lie (None: anywhere)."""

    kind: str
    content: bytes
    code: str
    path: str | None = None


Record = dict[str, Any]

IN_NAMES = {
    "script": ("<script>alert(1)</script>", "markup"),
    "image": ("<img src=x onerror=alert(1)>", "markup"),
    "entity": ("A&lt;b&gt;B", "markup"),
    "number_entity": ("A &#60;b", "markup"),
    "link": ("[click](https://evil.example)", "markup"),
    "picture": ("![x](https://evil.example/x.png)", "markup"),
    "code": ("`rm`", "markup"),
    "heading": ("# Best", "markup"),
    "bold": ("**Best**", "markup"),
    "table": ("A|B|C", "markup"),
    "template": ("{{ config }}", "markup"),
    "latex": ("$\\input$", "markup"),
    "address": ("see https://evil.example", "markup"),
    "javascript": ("javascript:alert(1)", "markup"),
    "quote": ('A" onclick="x', "markup"),
    "open_entity": ("A &#x3C", "markup"),
    "percent_encoded": ("%3Cscript%3E", "markup"),
    "mention": ("Model @everyone", "markup"),
    "reference": ("Model #1", "markup"),
    "emoji_code": ("Model :crown:", "markup"),
    "underscores": ("__Best__", "markup"),
    "mail": ("mailto:a", "markup"),
    "mail_address": ("me@evil.example", "markup"),
    "no_scheme": ("//evil.example", "markup"),
    "minus_sign": ("\u22122+3+cmd", "formula"),
    "equals": ('=HYPERLINK("https://evil.example")', "formula"),
    "plus": ("+1+cmd", "formula"),
    "minus": ("-2+3+cmd", "formula"),
    "at": ("@SUM(1+1)", "formula"),
    "semicolon": ("Model;=1+1", "formula"),
    "semicolon_space": ("Model; @SUM(1+1)", "formula"),
    "wide_equals": ("\uff1dSUM(A1)", "not_normalised"),
    "tab": ("\tcmd", "hidden_character"),
    "newline": ("Model\nVACE", "hidden_character"),
    "carriage_return": ("Model\rVACE", "hidden_character"),
    "nul": ("Model\x00", "hidden_character"),
    "escape": ("\x1b[2JModel", "hidden_character"),
    "right_to_left": ("Model \u202etxt.exe", "hidden_character"),
    "isolate": ("Model \u2066x\u2069", "hidden_character"),
    "zero_width": ("Mo\u200bdel", "hidden_character"),
    "joiner": ("Mo\u200ddel", "hidden_character"),
    "soft_hyphen": ("Mo\u00addel", "hidden_character"),
    "byte_order": ("\ufeffModel", "hidden_character"),
    "filler": ("Model\u115f", "hidden_character"),
    "grapheme_joiner": ("Mo\u034fdel", "hidden_character"),
    "empty_braille": ("Model\u2800", "hidden_character"),
    "variation": ("Model\ufe0f", "hidden_character"),
    "hard_space": ("Mo\u00a0del", "hidden_character"),
    "line_separator": ("Mo\u2028del", "hidden_character"),
    "private_use": ("Mo\ue000del", "hidden_character"),
    "tag_letters": ("Model\U000e0041", "hidden_character"),
    "ligature": ("\ufb01ne Model", "not_normalised"),
    "stacked": ("Z\u0310\u0311\u0312\u0313\u0314algo", "stacked_marks"),
    "two_spaces": ("Some  Model", "spaces"),
    "ends_in_space": ("Some Model ", "spaces"),
    "empty": ("", "length"),
    "long": ("M" * 5000, "length"),
    "dots": ("...", "no_letters"),
    "cyrillic_letter": ("Supеr Model", "mixed_scripts"),
    "greek_letter": ("Mοdel", "mixed_scripts"),
}

LINKS = {
    "javascript": ("javascript:alert(1)", "link_characters"),
    "javascript_bare": ("javascript:alert", "link_scheme"),
    "mixed_case": ("JaVaScRiPt:x", "link_scheme"),
    "data": ("data:text/html,x", "link_scheme"),
    "file": ("file:///etc/passwd", "link_scheme"),
    "ftp": ("ftp://example.org/x", "link_scheme"),
    "no_scheme": ("//example.org/x", "link_scheme"),
    "relative": ("../../admin", "link_scheme"),
    "word": ("example", "link_scheme"),
    "no_host": ("https://", "link_host"),
    "one_slash": ("https:/example.org", "link_scheme"),
    "backslash": ("https:/\\example.org", "link_characters"),
    "localhost": ("http://localhost/admin", "link_host"),
    "loopback": ("http://127.0.0.1/", "link_host"),
    "loopback_6": ("http://[::1]/", "link_characters"),
    "private_10": ("http://10.0.0.1/", "link_host"),
    "private_192": ("https://192.168.1.1/", "link_host"),
    "metadata": ("http://169.254.169.254/latest/meta-data", "link_host"),
    "hex": ("http://0x7f000001/", "link_host"),
    "decimal": ("http://2130706433/", "link_host"),
    "octal": ("http://0177.0.0.1/", "link_host"),
    "one_label": ("http://intranet/", "link_host"),
    "local": ("http://printer.local/", "link_host"),
    "internal": ("https://metadata.google.internal/", "link_host"),
    "rebinding_too": ("https://x.vcap.me/", "link_host"),
    "rebinding": ("https://127.0.0.1.nip.io/", "link_host"),
    "dot_end": ("http://localhost./", "link_host"),
    "port": ("https://example.org:8080/", "link_port"),
    "bad_port": ("https://example.org:99999/", "link_form"),
    "password": ("https://user:secret@example.org/", "link_user"),
    "disguised": ("https://huggingface.co@evil.example/", "link_user"),
    "space": ("https://example.org/a b", "link_characters"),
    "newline": ("https://example.org/\nx", "link_characters"),
    "quote": ('https://example.org/"onclick="x', "link_characters"),
    "markup": ("https://example.org/<script>", "link_characters"),
    "bracket": ("https://example.org/)[x](", "link_characters"),
    "encoded_newline": ("https://example.org/%0d%0aSet-Cookie", "link_characters"),
    "punycode": ("https://xn--80ak6aa92e.com/", "link_host"),
    "cyrillic_host": ("https://gіthub.com/", "link_characters"),
    "long": ("https://example.org/" + "a" * 400, "link_length"),
    "right_to_left": ("https://example.org/\u202efdp.exe", "link_characters"),
}

VALUES: dict[str, dict[str, tuple[Any, str]]] = {
    "model_id": {
        "escape": ("../../etc", "model_id"),
        "deep": ("a/b/c", "model_id"),
        "space": ("org/na me", "model_id"),
        "markup": ("<b>/x", "model_id"),
        "one_word": ("org", "model_id"),
        "two_hyphens": ("a--b/c", "model_id"),
        "git": ("org/name.git", "model_id"),
        "others": ("alice/vace", "not_the_owner"),
        "others_in_capitals": ("Alice/VACE", "not_the_owner"),
    },
    "submitted_by": {
        "empty": ("", "user"),
        "space": ("mal lory", "user"),
        "markup": ("<b>", "user"),
        "escape": ("../alice", "user"),
        "somebody_else": ("alice", "not_the_sender"),
    },
    "venue": {"other": ("Free", "unknown_value"), "markup": ("<b>Open-Source</b>", "unknown_value")},
    "split": {"other": ("everything", "unknown_value"), "escape": ("../open-domain", "unknown_value")},
    "version": {"other": ("v9", "unknown_value")},
    "scoring": {"other": ("generous", "unknown_value")},
    "format": {"other": ("opens2v-hf/submission/999", "unknown_value"), "number": (1, "form")},
    "submitted_at": {
        "word": ("yesterday", "time"),
        "future": ("2999-01-01 00:00:00", "time"),
        "past": ("1970-01-01 00:00:00", "time"),
        "month": ("2026-13-01 00:00:00", "time"),
        "other_form": ("2026-01-01T12:00:00Z", "time"),
        "huge": ("9" * 10_000, "time"),
    },
    "total": {
        "above_1": (1.5, "out_of_range"),
        "percent": (56.2, "out_of_range"),
        "negative": (-0.1, "out_of_range"),
        "text": ("0.5", "form"),
        "true": (True, "form"),
        "null": (None, "form"),
        "list": ([0.5], "form"),
        "integer": (10**30, "form"),
        "one": (1, "total_mismatch"),
    },
}

LOOK_ALIKES = {
    "cyrillic": "VАCE-14B",
    "all_cyrillic": "VАСЕ-14В",
    "wide": "ＶＡＣＥ-14B",
    "lower_case": "vace-14b",
    "space": "VACE 14B",
    "underscore": "VACE_14B",
    "nothing": "VACE14B",
    "accent": "VÁCE-14B",
    "iota_below": "VACE-14B\u0345",
    "letter_for_digit": "VACE-l4B",
    "capital_i": "VACE-I4B",
    "dash": "VACE–14B",
    "o_for_0": "Modern-IO",
    "l_for_i": "Modern-l0",
    "rn_for_m": "Modem-I0",
    "brackets": "Kling1.6 20250503",
    "comma_for_point": "Kling1,6(20250503)",
    "raised_point": "Kling1\u00b76(20250503)",
    "mathematical": "𝐕𝐀𝐂𝐄-14B",
}


def hostile_submissions(seed: int = 0) -> list[Hostile]:
    """All of them; the seed decides the numbers in them, and which entries are meddled with."""
    base = make_submission(SPLIT, seed, model=f"Rocket {seed}", submitted_by="mallory")
    return [*_text(base), *seeded_submissions(seed), *_against(base)]


def seeded_submissions(seed: int) -> list[Hostile]:
    """Those that depend on the seed."""
    draw = random.Random(seed)
    base = make_submission(SPLIT, seed, model=f"Rocket {seed}", submitted_by="mallory")
    return [*_numbers(base, draw), *_files(base, draw), *_provenance(base, draw)]


def _changed(base: Submission, change: Callable[[Record], None]) -> bytes:
    record = copy.deepcopy(base.to_dict())
    change(record)
    return json.dumps(record).encode()


def _put(name: str, value: Any) -> Callable[[Record], None]:
    return lambda record: record.__setitem__(name, value)


def _text(base: Submission) -> Iterator[Hostile]:
    for field in ("model", "team"):
        for kind, (text, code) in IN_NAMES.items():
            yield Hostile(f"{field}: {kind}", _changed(base, _put(field, text)), code)
    for kind, (text, code) in LINKS.items():
        yield Hostile(f"link: {kind}", _changed(base, _put("link", text)), code)
    for field, values in VALUES.items():
        for kind, (value, code) in values.items():
            yield Hostile(f"{field}: {kind}", _changed(base, _put(field, value)), code)
    yield Hostile("no page at all", _changed(base, lambda r: r.update(link="", model_id="")), "no_page")


def _numbers(base: Submission, draw: random.Random) -> Iterator[Hostile]:
    columns = list(base.columns)
    ids = list(base.per_video)

    def column(name: str, value: Any) -> bytes:
        return _changed(base, lambda record: record["columns"].__setitem__(name, value))

    def video(change: Callable[[Record], None]) -> bytes:
        index = draw.randrange(len(ids))
        return _changed(base, lambda record: change(record["per_video"][index]))

    for sign in (-1, 1):
        shift = sign * draw.uniform(0.0003, 0.01)
        yield Hostile("total does not follow", _changed(base, _put("total", base.total + shift)), "total_mismatch")
    for name in columns:
        yield Hostile(f"{name} above 1", column(name, 1 + draw.random()), "out_of_range")
        yield Hostile(f"{name} below 0", column(name, -draw.random() - 1e-9), "out_of_range")
        yield Hostile(f"{name} missing", column(name, None), "column_missing")
        yield Hostile(f"{name} as text", column(name, "0.5"), "form")
        better = min(1.0, base.columns[name] + 0.01)
        yield Hostile(f"{name} better, total follows", _with_column(base, name, better), "column_mismatch")
        yield Hostile(f"{name}: a video left out", video(_put(name, None)), _left_out(name))
        yield Hostile(f"{name}: a video far off", video(_put(name, 1e9)), "out_of_range")
        count = {**base.num_videos, name: base.num_videos[name] - 1}
        yield Hostile(f"{name}: count", replace(base, num_videos=count).to_json(), "count_mismatch")
    yield Hostile("a column that the split lacks", column("nexusscore", 0.5), "column_unknown")
    yield Hostile("negative count", _changed(base, lambda r: r["num_videos"].update(gmescore=-1)), "out_of_range")
    yield Hostile("half a video", _changed(base, lambda r: r["num_videos"].update(gmescore=0.5)), "form")
    yield Hostile("huge count", _changed(base, lambda r: r["num_videos"].update(gmescore=10**30)), "form")
    yield Hostile("value where none applies", video(_put("nexusscore", 0.01)), "not_applicable")
    yield Hostile("the best faces alone, all else follows", _best_faces(base).to_json(), "values_missing")
    yield Hostile("no per-video values", _changed(base, _put("per_video", [])), "no_per_video")
    yield Hostile("an id left out", _changed(base, lambda r: r["per_video"].pop(3)), "ids_missing")
    yield Hostile("an id twice", _changed(base, lambda r: r["per_video"].append(r["per_video"][3])), "ids_duplicate")
    yield Hostile("an unknown id", video(_put("id", "multiface_1")), "ids_unknown")
    yield Hostile("an id with markup", video(_put("id", "<script>alert(1)</script>")), "ids_unknown")
    yield Hostile("an id that escapes", video(_put("id", "../../x")), "ids_unknown")
    for word in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 400, "0." + "1" * 400):
        text = base.to_json().replace(f'"total": {base.total!r}'.encode(), f'"total": {word}'.encode())
        yield Hostile(f"total {word[:10]}", text, "not_finite")
    name, where = draw.choice(columns), draw.choice(ids)
    value = json.dumps(base.per_video[where].get(name)).encode()
    yield Hostile("a NaN among the videos", base.to_json().replace(b": " + value, b": NaN", 1), "not_finite")


def _best_faces(base: Submission) -> Submission:
    """Of all faces the best twenty of sixty, and columns, counts and a total that follow from them."""
    from helpers.submissions import columns_of, weights_of

    best = sorted(base.per_video, key=lambda i: base.per_video[i]["facesim_cur"])[-20:]
    per_video = {
        i: {name: value for name, value in values.items() if name != "facesim_cur" or i in best}
        for i, values in base.per_video.items()
    }
    given = {name: {i: v[name] for i, v in per_video.items() if name in v} for name in base.columns}
    columns, counts = columns_of(given)
    total = sum(weight * columns[name] for name, weight in weights_of(SPLIT).items())
    return replace(base, per_video=per_video, columns=columns, num_videos=counts, total=total)


def _left_out(name: str) -> str:
    """FaceSim may lack videos, as released; its mean is another one then."""
    return "column_mismatch" if name == "facesim_cur" else "values_missing"


def _with_column(base: Submission, name: str, value: float) -> bytes:
    from helpers.submissions import weights_of

    columns = {**base.columns, name: value}
    total = sum(weight * columns[other] for other, weight in weights_of(SPLIT).items())
    return replace(base, columns=columns, total=total).to_json()


def _files(base: Submission, draw: random.Random) -> Iterator[Hostile]:
    whole = base.to_json()
    text = whole.decode().rstrip()
    cut = draw.randrange(10, len(text) - 10)
    yield Hostile("empty", b"", "not_json")
    yield Hostile("cut off", text[:cut].encode(), "not_json")
    yield Hostile("two records", whole + whole, "not_json")
    yield Hostile("more behind it", whole + b"<script>", "not_json")
    yield Hostile("compressed", gzip.compress(whole), "not_utf8")
    yield Hostile("random bytes", bytes([0xFF, 0xFE]) + draw.randbytes(2000), "not_utf8")
    yield Hostile("UTF-16", text.encode("utf-16"), "not_utf8")
    yield Hostile("byte order mark", b"\xef\xbb\xbf" + whole, "not_json")
    yield Hostile("half a surrogate", whole.replace(b"Rocket", b"\\ud800"), "not_utf8")
    yield Hostile("raw control characters", whole.replace(b"Rocket", b"Ro\x01cket"), "not_json")
    yield Hostile("YAML", b"model: x\ntotal: 1\n", "not_json")
    yield Hostile("a page", b"<html><script>alert(1)</script></html>", "not_json")
    for name, value in (("list", b"[]"), ("number", b"3"), ("null", b"null"), ("string", b'"x"'), ("true", b"true")):
        yield Hostile(f"no object but a {name}", value, "form")
    yield Hostile("empty object", b"{}", "form")
    yield Hostile("a list of it", b"[" + text.encode() + b"]", "form")
    for depth in (9, 100, 5_000, 300_000):
        yield Hostile(f"lists {depth} deep", b"[" * depth + b"]" * depth, "too_deep")
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        yield Hostile(f"objects {depth} deep", deep, "too_deep" if len(deep) < 1 << 20 else "too_large")
    yield Hostile("depth without an end", b'{"a":[' * 50_000, "too_deep")
    yield Hostile("deep in a field", whole.replace(b'"per_video": [', b'"per_video": [' + b"[" * 50), "too_deep")
    yield Hostile("too large", whole + b" " * (1 << 20), "too_large")
    yield Hostile("a huge name", _changed(base, _put("model", "M" * (1 << 20))), "too_large")
    yield Hostile("many videos", _changed(base, lambda r: r.update(per_video=r["per_video"] * 100)), "too_large")
    yield Hostile("a key twice", (text[:-1] + ', "total": 1.0}').encode(), "duplicate_key")
    yield Hostile("a name twice", b'{"model": "VACE-14B", ' + text[1:].encode(), "duplicate_key")
    field = draw.choice(list(base.to_dict()))
    yield Hostile("a field too few", _changed(base, lambda r: r.pop(field)), "form")
    for extra in ("__proto__", "constructor", "admin", "<script>", "\u202e", "x" * 100_000):
        yield Hostile(f"a field too many: {extra[:20]!r}", _changed(base, _put(extra, {"verified": True})), "form")
    for name in ("columns", "provenance", "per_video", "model", "num_videos"):
        for wrong in (None, 3, "text", [1], {"a": 1}):
            if not (name == "model" and wrong == "text"):
                yield Hostile(f"{name} is {wrong!r}", _changed(base, _put(name, wrong)), "form")
    for path in (
        "../../README.md",
        "/etc/passwd",
        "README.md",
        "data/../x.json",
        "data/human-domain/vace-14b/1-a.json",
    ):
        yield Hostile(f"wants to lie at {path}", whole, "path", path)


def _provenance(base: Submission, draw: random.Random) -> Iterator[Hostile]:
    def made(change: Callable[[Record], Any]) -> bytes:
        return _changed(base, lambda record: change(record["provenance"]))

    index = draw.randrange(len(base.to_dict()["provenance"]["models"]))
    deep = "[" * 100_000 + "]" * 100_000
    yield Hostile("says it is published", made(lambda p: p.update(kind="published")), "published")
    yield Hostile("unknown kind", made(lambda p: p.update(kind="dreamt")), "unknown_value")
    yield Hostile("no models", made(lambda p: p.update(models=[])), "no_provenance")
    yield Hostile("no packages", made(lambda p: p.update(packages=[])), "no_provenance")
    yield Hostile("embedded models", made(lambda p: p["models"][index].update(embedded=True)), "embedded")
    yield Hostile("a model twice", made(lambda p: p["models"].append(p["models"][index])), "duplicate_entry")
    yield Hostile("a model with markup", made(lambda p: p["models"][index].update(name="<b>x</b>")), "markup")
    yield Hostile("a model as formula", made(lambda p: p["models"][index].update(revision="=1+1")), "formula")
    yield Hostile("a model of no metric", made(lambda p: p["models"][index].update(metric="luck")), "metric")
    yield Hostile("a role of 1 MB less", made(lambda p: p["models"][index].update(role="r" * 900_000)), "length")
    caveat = {"metric": "gmescore", "caveat": "made with the embedder org/other"}
    yield Hostile("other models", made(lambda p: p["caveats"].append(caveat)), "not_comparable")
    rubric = {"metric": "gmescore", "caveat": "the rubric is another"}
    yield Hostile("another metric's excuse", made(lambda p: p["caveats"].append(rubric)), "not_comparable")
    yield Hostile("other prompts", made(lambda p: p["benchmark"].update(sha256="0" * 64)), "other_prompts")
    yield Hostile("no prompts", made(lambda p: p["benchmark"].update(sha256="")), "other_prompts")
    yield Hostile("a package that escapes", made(lambda p: p["packages"][0].update(name="../x")), "package")
    yield Hostile("a package with markup", made(lambda p: p["packages"][0].update(version="<b>")), "package")
    yield Hostile("source javascript", made(lambda p: p.update(source="javascript://%0aalert")), "link_scheme")
    yield Hostile("source local", made(lambda p: p.update(source="http://localhost/x")), "link_host")
    yield Hostile("source that escapes", made(lambda p: p.update(source="hf://datasets/../../x")), "hub_place")
    yield Hostile("source elsewhere", made(lambda p: p.update(source="hf://buckets/<b>")), "hub_place")
    yield Hostile("source with markup", made(lambda p: p.update(source="<b>")), "markup")
    option = {"metric": "gmescore", "option": "num_frames", "value": "32"}
    for name, change, code in (
        ("no JSON", {"value": "{"}, "option"),
        ("NaN", {"value": "NaN"}, "option"),
        ("a number beyond floats", {"value": "1e999"}, "option"),
        ("a key twice", {"value": '{"a": 1, "a": 2}'}, "option"),
        ("deep JSON", {"value": deep}, "length"),
        ("hidden character", {"value": '"\u202e"'}, "hidden_character"),
        ("a name with markup", {"option": "<b>"}, "option"),
        ("no metric", {"metric": "luck"}, "metric"),
    ):
        yield Hostile(f"an option: {name}", made(lambda p, c=change: p["options"].append({**option, **c})), code)
    less_deep = {**option, "value": "[" * 1900 + "]" * 1900}
    yield Hostile("an option: JSON too deep to parse", made(lambda p: p["options"].append(less_deep)), "option")
    many = [{**option, "option": f"o{number}"} for number in range(500)]
    yield Hostile("too many options", made(lambda p: p.update(options=many)), "length")


def _against(base: Submission) -> Iterator[Hostile]:
    for kind, name in LOOK_ALIKES.items():
        yield Hostile(f"looks like another: {kind}", replace(base, model=name).to_json(), "look_alike")
    for other in EXISTING[:3]:
        taken = replace(base, model=other.model)
        yield Hostile(f"a row of {other.submitted_by}'s", taken.to_json(), "not_the_owner")
        copied = replace(other, model=f"Copy of {other.submitted_by}", submitted_by="mallory", model_id="")
        yield Hostile("copied values", copied.to_json(), "copied_values")
        yield Hostile("in another's name", other.to_json(), "not_the_sender")
    yield Hostile("the same again", replace(EXISTING[3], submitted_at="2026-02-02 00:00:00").to_json(), "duplicate")
    yield Hostile("exactly the same", EXISTING[3].to_json(), "duplicate")
