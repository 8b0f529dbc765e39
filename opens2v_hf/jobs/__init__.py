"""Units of work that are done once, over any number of processes and runs. Knows no metric and no video.

- A **unit** has a key, which is a digest of all that its outcome follows from, and something to do. Units that share an
  input form a **group** (in scoring: a video and its metrics) and are done together, by one process.
- `run.run_units` (over `engine`) looks each unit up in the **journal**, does what is not there, retries what is
  transient, turns every exception into an `outcome.Outcome`, and writes it down before it goes on. What has changed has
  another key and is done again; what has not is found, whichever process of whichever run wrote it. Records are never
  changed or removed.
- Only outcomes that the same command would reach again are kept: values, and failures that lie in the input. Others are
  listed and tried again by the next run (`outcome.Retry`).
- The journal also notes which group a process has begun. A group at which two processes ended (`endings`: a native
  crash, no memory left, the time limit) is left out from then on. A process that is killed from outside is no evidence;
  where two are, a child process tries the group's input first.
- Several groups are done at a time (`overlap`), so that a device does not wait for a decoder; whatever their number,
  the outcomes are the same.
- `processes` shares groups among launched processes through files (`launched`). Each process writes a journal file of
  its own, and all read what the others wrote when all have finished.
"""
