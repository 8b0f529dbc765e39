"""Engines decide where and when units are processed; the shards do not depend on the engine.

- `local`: in this process, or in several on this machine.
- `ray`: on a cluster, by Ray Data.
"""
