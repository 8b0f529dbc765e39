"""The mark and the names of the files of results."""

FORMAT = "opens2v-hf/result/1"
"""Value of `format` in the file."""

PARTIAL_ENDING = ".partial.json"
"""Of the files of results about some samples of a split, which never replace one about all of them."""
