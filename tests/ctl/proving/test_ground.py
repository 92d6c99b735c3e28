"""The links of a proof are ready before its first packet."""

import pytest

from banlistd.ctl.proving import ground
from banlistd.ctl.proving.ground import await_ready

SILENT = "7: blprove0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noop state DOWN mode DEFAULT group default"
RISEN = SILENT.replace("state DOWN", "state UP")
READY = RISEN.replace("qdisc noop", "qdisc noqueue")
ROUTE = "local fdb1:a571:57d0::1 dev blprove0 proto kernel metric 0 pref medium"


class Kernel:
    """Answers `ip` with one stage after the other; the last one stays."""

    def __init__(self, *stages: tuple[str, str]) -> None:
        self._stages = list(stages)
        self.looks = 0

    def ip(self, *words: str) -> str:
        if words[0] == "link":
            self.looks += 1
            return self._stages[0][0]
        return self._stages[0][1]

    def turn(self, _: float) -> None:
        self._stages = self._stages[1:] or self._stages


def test_a_proof_waits_for_the_link_and_for_the_local_route_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel((SILENT, ""), (RISEN, ROUTE), (READY, ""), (READY, ROUTE), (SILENT, ""))
    monkeypatch.setattr("time.sleep", kernel.turn)
    await_ready(kernel.ip, "blprove0", "fdb1:a571:57d0::1")
    assert kernel.looks == 4


def test_a_proof_goes_on_where_a_link_never_comes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel((SILENT, ""))
    monkeypatch.setattr(ground, "_PATIENCE", 0.0)
    await_ready(kernel.ip, "blprove0", "fdb1:a571:57d0::1")
    assert kernel.looks == 0
