"""OpenS2V-Eval: prompts, ids, rules, the dataset builder."""
