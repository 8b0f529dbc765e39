"""What a scoring run remembers, so that a run that was killed goes on where it was.

The **unit** of work is one metric's outcome for one sample. As soon as a unit is finished it is a record in the
journal, `<out>/<split>.journal/`, and stays one whatever happens to the process afterwards.

Who passes what:

- `door.score` opens the split, finds the videos and plans the passes (`run.passes`: all metrics together, or one group
  of metrics after another, each with the models that it shares), and hands them to `scoring.score_passes`.
- `scoring` takes the folder's lock (`lock`: one run at a time), reads the files of all runs before (`files`), and lets
  the launched processes tell each other what only some of them see (`run.distributed`). Then each process claims one
  video after another and gives it to `score_video`.
- `score_video` hashes the video, makes the key of each of its units (`keys`), takes from the journal what is there, and
  decodes the video once for the metrics that are left. Each outcome is turned into JSON, written down and read back,
  and only what was read back goes into the result: a result does not depend on which of its units are old.
- `scoring` hands the outcomes of all processes to each of them and puts the result together in the split's order.

A unit's **key** is a digest of all that its outcome follows from: the sample's id, the video's bytes, the metric with
its options and its models' revisions, what the metric is given of the sample (prompt, labels, bytes of the pictures),
and the versions of the libraries that compute. What has changed has another key and is scored anew; what has not is
found, whichever process of whichever run wrote it. Records are never changed or removed.

Only outcomes that the same command would reach again are written: scores, and failures that lie in the video or the
picture. A failure that may pass (no answer from a judge, a download that broke off, a full GPU) is listed in the
result and tried again by the next run.
"""
