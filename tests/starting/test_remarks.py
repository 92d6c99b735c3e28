"""What is said of this machine at a start."""

import pytest

from banlistd.adapters.parser_process.confinement import landlock_version
from banlistd.starting import remarks


def test_a_kernel_without_landlock_is_remarked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remarks, "landlock_version", lambda: 0)
    (remark,) = remarks.confinement_remarks()
    assert "no Landlock" in remark.message
    assert "lsm=" in remark.hint


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_a_kernel_with_landlock_is_not() -> None:
    assert remarks.confinement_remarks() == ()
