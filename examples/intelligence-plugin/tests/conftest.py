"""The package as it lies here, without installing it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
