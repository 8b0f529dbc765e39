"""Views: synthesised pictures of the subjects of some clips, in another pose and place.

- `choose` selects the subjects and the pictures that the model is shown.
- `editor` is the interface of models that make pictures: `endpoint` asks a service, `local` runs a pipeline here.
- `accept` checks the picture: the same subject, and no copy.
- `ledger` writes each request and its result to the disk: nothing is paid for twice.
- `make` does all of it for a dataset's folder.
"""

from opens2v_hf.pipeline.views.editor import Edited, Editor, EditRequest
from opens2v_hf.pipeline.views.make import ViewResult, make_views
from opens2v_hf.pipeline.views.options import ViewOptions

__all__ = ["EditRequest", "Edited", "Editor", "ViewOptions", "ViewResult", "make_views"]
