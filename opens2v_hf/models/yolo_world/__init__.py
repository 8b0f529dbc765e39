"""YOLO-World-v2 with image prompts: the detector of NexusScore, in plain PyTorch."""
