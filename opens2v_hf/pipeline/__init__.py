"""Making a dataset like OpenS2V-5M from a folder of videos.

- A **record** (`records.ClipRecord`) is all that is known of a clip; stages fill it in.
- A **stage** (`stage.Stage`) takes a batch of records and returns what it kept, and what it dropped and why. It knows
  no engine, no shard and no other stage; each works alone from Python.
- A **unit** is some files of the input. All stages are applied to it, and what is left becomes one Parquet shard. An
  engine decides where and when units are done; whichever it is, the shards are the same.
- **Association** (pairs of clips with the same subject) and **views** (synthesised pictures of subjects) need more than
  one unit, or cost money; they come after the units, from the shards and the vectors that lie beside them.
"""
