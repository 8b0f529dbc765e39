"""NaturalScore as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class NaturalScore(module.MetricModule):
    """The naturalness column of OpenS2V-Eval, a benchmark of subject-to-video generation.

    A vision-language model (the judge) sees 16 frames of a video in one call and says how real it looks: 1 is
    definitely AI-generated, 5 definitely real. The released protocol asks gpt-4o-2024-11-20 three times and
    averages. A local judge answers with the expectation over the digits 1 to 5 of its next-token probabilities, the
    same every time. The key of an endpoint comes from OPENAI_API_KEY, its address from OPENAI_BASE_URL, or both
    from `api_key` and `base_url`; `max_calls`, `concurrency`, `timeout_s` and the other arguments of the judge's
    class are taken as well.

    >>> import opens2v_hf, evaluate
    >>> naturalscore = evaluate.load("naturalscore")
    >>> naturalscore.compute(predictions=["singleobj_1.mp4"], max_calls=20)
    """

    metric = "naturalscore"
