"""Copy-paste as a module of `evaluate`."""

from __future__ import annotations

from opens2v_hf.metrics import module


class CopyPaste(module.MetricModule):
    """Whether a video shows its subjects or copies of the given pictures; not a column of OpenS2V-Eval.

    A subject is compared with the given picture and with other true views of it, which the references hold as "views":
    what is much nearer to the picture than to the views is a copy. 1 where nothing was copied, 0 where everything was;
    no value without views.

    >>> import opens2v_hf, evaluate
    >>> copypaste = evaluate.load("copypaste")
    >>> reference = {"images": ["a.png"], "labels": ["Cup"], "views": [["a_from_behind.png"]]}
    >>> copypaste.compute(predictions=["a.mp4"], references=[reference])
    """

    metric = "copypaste"
