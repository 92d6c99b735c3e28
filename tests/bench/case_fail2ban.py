"""What bans cost that are made one by one: fail2ban, the way a list is fed to it."""

import shutil
from collections.abc import Iterator
from itertools import count

from bench.measuring import Sample
from bench.peer_fail2ban import fail2ban
from bench.rows import Row
from bench.setting import Setting
from bench.turns import Contender, take_turns

_BATCH = 1000
_MAX_BATCHES = 3


def one_by_one(setting: Setting) -> Iterator[Row]:
    if not shutil.which("fail2ban-server"):
        setting.say("fail2ban: no command fail2ban-server: left out")
        return
    lines = setting.inputs.million().lines()
    # Not from its start: what is reserved, and what fail2ban never bans, is there.
    lines = lines[len(lines) // 2 :]
    size = 20 if setting.quick else _BATCH
    batches = count()
    folder = setting.folder / "fail2ban"
    with fail2ban(folder) as server:

        def batch() -> Sample:
            at = size * next(batches)
            return Sample(size / server.ban(lines[at : at + size]))

        what = f"fail2ban-client set JAIL banip, {size:,} addresses an order, until the kernel holds the last; nftables action"
        yield from take_turns("fail2ban", [Contender("fail2ban", what, batch, most=_MAX_BATCHES, unit="bans/s")], setting)
