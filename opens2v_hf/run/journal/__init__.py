"""The keys under which scores are kept; see `opens2v_hf.jobs` for the rest."""
