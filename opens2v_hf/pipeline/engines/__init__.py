"""Where and when units are done. Whichever engine does them, what comes of them is the same.

- `local`: in this process, or in several on this machine.
- `ray`: on a cluster, by Ray Data.
"""
