"""Detectors of phrases: Grounding DINO, MM-Grounding-DINO, OWLv2, SAM 3 and the embedded one."""
