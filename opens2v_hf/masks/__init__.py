"""The COCO run-length codec and what one does with a mask."""
