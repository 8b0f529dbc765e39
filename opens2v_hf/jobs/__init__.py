"""Resumable units of work over any number of processes and runs. Knows no metric and no video.

- A **unit** has a key, a digest of everything that decides its outcome, and a function that does the work. Units that
  share an input form a **group** (in scoring: a video and its metrics); one process does a group.
- `run.run_units` (over `engine`) looks each unit up in the **journal**, does those that are missing, retries transient
  errors, turns every exception into an `outcome.Outcome`, and writes it to the journal before the next unit. A changed
  input has another key, so the unit is done again. Records are never changed or removed.
- The journal holds only outcomes that the same command would reach again: values, and failures caused by the input.
  Other failures are reported and tried again by the next run (`outcome.Retry`).
- The journal also records which group a process has begun. A group at which two processes ended (`endings`: a native
  crash, no memory left, the time limit) is skipped by later runs. A kill from outside is no evidence against a group;
  after two of them a child process reads the group's input first.
- Several groups are done at a time (`overlap`), so that a device does not wait for a decoder. Their number does not
  change the outcomes.
- `processes` shares groups among launched processes through files (`launched`). Each process writes its own journal
  file, and reads those of the others when all have finished.
"""
