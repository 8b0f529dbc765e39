"""Random numbers that depend on their purpose alone, not on any that were drawn before."""

from __future__ import annotations

import hashlib

import numpy as np


def generator(seed: int, epoch: int, *purpose: str | int) -> np.random.Generator:
    """A generator for one purpose, e.g. one sample in one epoch.

    Args:
        seed: of the training view.
        epoch: number of the epoch.
        purpose: names; the same names give the same numbers on any machine.
    """
    # Each name is preceded by its length, so that no two lists of names give the same bytes.
    named = b"".join(b"%d:%s" % (len(encoded), encoded) for encoded in (str(name).encode() for name in purpose))
    digest = hashlib.blake2b(named, digest_size=16).digest()
    return np.random.default_rng([seed, epoch, *np.frombuffer(digest, np.uint32).tolist()])
