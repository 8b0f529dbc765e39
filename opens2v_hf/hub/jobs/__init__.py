"""A command as a Hugging Face Job: submitted, run there so that nothing is lost, watched, and its result fetched.

A job has a folder in a dataset repo of the user's: `plan.json`, what is run; `inputs/`, local files that it needs;
`out/`, the folder that the command writes, as it grows; `state.json`, how it ended. A job that is stopped by its time
limit, or whose machine is lost, is submitted again with the same command, and resumes from `out/`.
"""
