"""The scripts in the folders `metrics/<name>/` as importable modules `opens2v_hf.hub.metric_modules.<name>.<name>`.

`evaluate` imports a metric by its module's name, and so does a worker process that unpickles one.
"""

from opens2v_hf.hub.folders import kind_folders

__path__ = [str(folder) for folder in kind_folders("metrics")]
