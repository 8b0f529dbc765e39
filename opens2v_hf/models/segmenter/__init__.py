"""Masks of boxes in a picture, by SAM 2, SAM 2.1 and the tracker of SAM 3."""
