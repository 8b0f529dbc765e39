"""Views: synthesised pictures of the subjects of some clips, in another pose and place.

- `choose` says which subjects qualify, and `pictures` what the model is shown.
- `editor` is the interface of what makes a picture; `endpoint` asks a service, `local` runs a diffusers pipeline.
- `accept` looks at what came back: the same subject, and no copy.
- `ledger` writes down that a picture is asked for before it is, and what came of it: nothing is paid for twice.
- `prices` counts what it cost, by a dated table.
- `make` does all of it for a dataset's folder.
"""

from opens2v_hf.pipeline.views.editor import Edited, Editor, EditRequest
from opens2v_hf.pipeline.views.make import ViewResult, make_views
from opens2v_hf.pipeline.views.options import ViewOptions

__all__ = ["EditRequest", "Edited", "Editor", "ViewOptions", "ViewResult", "make_views"]
