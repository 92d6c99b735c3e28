"""Where the real lists are. They are large and not ours to pass on, so tests that want them skip where they are absent."""

import os
from pathlib import Path

import pytest

_BESIDE_THE_CHECKOUT = Path(__file__).resolve().parents[3] / "shared" / "data"
DATA = Path(os.environ.get("BANLISTD_TEST_DATA", _BESIDE_THE_CHECKOUT))

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no folder of real lists at {DATA}; set BANLISTD_TEST_DATA")


def real_list(name: str) -> Path:
    """A file of the data folder; skips the test where it is absent."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"no real list at {path}; set BANLISTD_TEST_DATA")
    return path
