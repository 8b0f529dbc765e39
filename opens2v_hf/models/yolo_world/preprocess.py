"""Letterboxing: conversion between a frame and the network's square input."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from opens2v_hf.models.pictures import check_picture

PAD_VALUE = 114


@dataclass(frozen=True)
class Letterbox:
    """Position of a frame in the network's input.

    Attributes:
        frame_height: in px.
        frame_width: in px.
        height: of the resized frame, in px.
        width: of the resized frame, in px.
        top: rows of padding above it.
        left: columns of padding left of it.
    """

    frame_height: int
    frame_width: int
    height: int
    width: int
    top: int
    left: int

    @property
    def scale(self) -> tuple[float, float]:
        """Input px per frame px along x and y, each by itself: the resized sides are truncated to whole pixels."""
        return self.width / self.frame_width, self.height / self.frame_height


def fit(frame_height: int, frame_width: int, size: int) -> Letterbox:
    """Place a frame in a square of `size` px, as the released code does (it also enlarges small frames).

    Example:
        >>> fit(480, 832, 640)
        Letterbox(frame_height=480, frame_width=832, height=369, width=640, top=135, left=0)
    """
    ratio = min(size / max(frame_height, frame_width), size / min(frame_height, frame_width))
    height, width = frame_height, frame_width
    if ratio != 1:
        # a frame thinner than the ratio would vanish
        height, width = max(int(frame_height * ratio), 1), max(int(frame_width * ratio), 1)
    return Letterbox(frame_height, frame_width, height, width, (size - height) // 2, (size - width) // 2)


def letterbox(frame: np.ndarray, size: int) -> tuple[np.ndarray, Letterbox]:
    """Resize and pad one RGB frame for the network.

    Args:
        frame: uint8 [H, W, 3], RGB.
        size: side of the square in px.

    Returns:
        uint8 [size, size, 3] in **BGR** order, which is what the released code feeds its network (it hands RGB frames
        to a pipeline that reverses the channels); and where the frame lies in it.

    Raises:
        ArgumentError: `frame` is of another shape or dtype.
    """
    box = fit(*check_picture(frame, "a frame"), size)
    if (box.height, box.width) != frame.shape[:2]:
        shrinks = box.height < box.frame_height or box.width < box.frame_width
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        frame = cv2.resize(frame, (box.width, box.height), interpolation=method)
    padded = np.full((size, size, 3), PAD_VALUE, dtype=np.uint8)
    padded[box.top : box.top + box.height, box.left : box.left + box.width] = frame[..., ::-1]
    return padded, box
