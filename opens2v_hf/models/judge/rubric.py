"""Instructions for a judge: criteria and form of the answer.

The released prompt is not this project's to give away. These texts ask for the same five levels and the same aspects
(released code v1.1: common sense, physics, textures and proportions, AI artefacts, anatomy where humans appear);
users who have the released text give it as a file.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from opens2v_hf.errors import ArgumentError

RELEASED = "released"
FULL = "full"
PROTOCOLS = (RELEASED, FULL)
"""As released, or over the whole clip with a question about pasted-in subjects."""

_MAX_FILE_BYTES = 200_000

_TASK = """\
You are shown frames of one video, in order of time. Decide how likely it is that a camera filmed it, rather than \
that a generative model made it. Judge nothing else: neither how beautiful it is nor whether the story is interesting.

Weigh these aspects over all frames:
- Common sense: what is seen could exist, and could happen in the place where it happens.
- Physics: gravity, contact, motion, light, shadows and reflections behave as in the world, and things do not pop up, \
vanish or pass through each other from one frame to the next.
- Textures and proportions: surfaces keep their detail and their material, sizes and shapes fit each other and stay \
the same.
- Traces of generation: flicker, smeared or boiling regions, warped edges, repeated patterns, unreadable lettering, \
colours or blocks that break.
- Anatomy, where people appear: faces, hands, limbs and joints have the right number, form and place, and keep them \
while they move.
"""

_PASTED_IN = """\
- Belonging: every subject stands in its scene. A subject that looks pasted in speaks against the video: an outline \
that is cut out, light, focus, perspective or scale that differ from the surroundings, a pose and a look that stay the \
same as in a still picture while everything else moves.
"""

_LEVELS = """
Answer by this scale:
1 = definitely AI-generated: gross faults that anyone sees at once.
2 = probably AI-generated: clear faults in several aspects.
3 = undecided: some faults, but much that looks filmed.
4 = probably real: at most slight oddities that have other explanations.
5 = definitely real: nothing speaks against a camera.

Reply with the single digit 1, 2, 3, 4 or 5, and nothing else.
"""


@dataclass(frozen=True)
class Rubric:
    """The text that a judge gets with the frames.

    Attributes:
        version: as results show it: a name of this project, or "sha256:..." of a user's file.
        text: in full, with the request for the form of the answer.
    """

    version: str
    text: str

    @classmethod
    def of_protocol(cls, protocol: str) -> Rubric:
        """This project's own text for a protocol.

        Raises:
            ArgumentError: the protocol is unknown.

        Example:
            >>> Rubric.of_protocol("released").version
            'opens2v-hf-1'
        """
        if protocol == RELEASED:
            return cls("opens2v-hf-1", _TASK + _LEVELS)
        if protocol == FULL:
            return cls("opens2v-hf-full-1", _TASK + _PASTED_IN + _LEVELS)
        raise ArgumentError(f"unknown protocol (got {protocol=}); known are {', '.join(PROTOCOLS)}")

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Rubric:
        """A text of the user's, e.g. the released one; its version is the sha256 of the file.

        The text must ask for an integer from 1 to 5 as the whole reply.

        Raises:
            ArgumentError: the file is missing, empty, too large, or no UTF-8 text.
        """
        name = os.fspath(path)
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ArgumentError(f"the rubric file {name!r} cannot be read: {error.strerror or error}") from error
        if len(content) > _MAX_FILE_BYTES:
            raise ArgumentError(
                f"the rubric file {name!r} has {len(content)} bytes; at most {_MAX_FILE_BYTES} are sent"
            )
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ArgumentError(f"the rubric file {name!r} is no UTF-8 text: {error}") from error
        if not text.strip():
            raise ArgumentError(f"the rubric file {name!r} is empty; write the instructions for the judge into it")
        return cls(f"sha256:{hashlib.sha256(content).hexdigest()}", text)
