"""Decoded frames as upright RGB, to the bit what `ffmpeg -i FILE -pix_fmt rgb24` gives."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import Type

from opens2v_hf.video.orientation import Filters

_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020nc", 10: "bt2020nc"}
"""Names of the matrix coefficients (ITU-T H.273, table 4) that ffmpeg's command line converts by. It takes those of
BT.601 for all others, YCgCo and ICtCp among them, where libswscale, asked directly, refuses them."""
_MATRIX_OF_OTHERS = "bt470bg"
_RGB_MATRIX = 0


class RgbConverter:
    """Converts the frames of one video.

    Conversion is done by libavfilter, in the order in which ffmpeg's command line does it: turned upright first, then
    converted with bicubic chroma, never field by field. Asked directly, libswscale converts frames that are flagged
    as interlaced by fields, sites chroma otherwise where it has to scale it, and refuses unusual colour tags.

    Args:
        upright: the filters that turn the video's frames upright.
    """

    def __init__(self, upright: Filters) -> None:
        self._upright = upright
        self._graph: Graph | None = None
        self._key: tuple[object, ...] | None = None

    def convert(self, frame: av.VideoFrame) -> np.ndarray:
        """A frame as uint8 [H, W, 3] RGB, upright.

        Raises:
            av.FFmpegError: if libavfilter cannot convert it.
        """
        return self._converted(frame).to_ndarray()

    def convert_into(self, frame: av.VideoFrame, out: np.ndarray) -> None:
        """Write a frame as RGB, upright, into uint8 [H, W, 3], contiguous.

        Raises:
            av.FFmpegError: if libavfilter cannot convert it.
        """
        [plane] = self._converted(frame).planes
        rows = out.reshape(plane.height, -1)
        rows[...] = plane_bytes(plane)[:, : rows.shape[1]]

    def _converted(self, frame: av.VideoFrame) -> av.VideoFrame:
        matrix = _matrix_of(frame)
        key = (frame.width, frame.height, frame.format.name, int(frame.color_range), matrix)
        if self._graph is None or key != self._key:
            self._graph, self._key = _graph(frame, matrix, self._upright), key
        self._graph.vpush(frame)
        return self._graph.vpull()


def plane_bytes(plane: Any) -> np.ndarray:
    """The rows of a plane with what pads them, uint8 [height, bytes of a row]: the frame's own memory."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height]


def display_matrix(frame: av.VideoFrame) -> bytes | None:
    """Display matrix of a frame, from its container or the pictures themselves; None where neither has one."""
    side_data: Any = frame.side_data  # by type, which the stubs of some releases leave out
    found = side_data.get(Type.DISPLAYMATRIX)
    return None if found is None else bytes(found)


def _matrix_of(frame: av.VideoFrame) -> str:
    if frame.format.is_rgb and int(frame.colorspace) == _RGB_MATRIX:
        return "gbr"
    return _MATRICES.get(int(frame.colorspace), _MATRIX_OF_OTHERS)


def _graph(frame: av.VideoFrame, matrix: str, upright: Filters) -> Graph:
    graph = Graph()
    # Transfer curve and primaries do not matter for RGB of the same kind, and unusual ones would be refused.
    tags = f"field_mode=prog:colorspace={matrix}:color_primaries=unknown:color_trc=unknown"
    nodes = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base),
        graph.add("setparams", tags),
        *(graph.add(name, arguments) for name, arguments in upright),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    return graph
