"""`python -m opens2v_hf` and `accelerate launch -m opens2v_hf`: the command line."""

import sys

from opens2v_hf.cli import main

if __name__ == "__main__":
    sys.exit(main())
