"""From boxes in a picture to masks: SAM 2, SAM 2.1 and the tracker of SAM 3."""
