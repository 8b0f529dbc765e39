"""The COCO run-length codec, and geometry on masks."""
