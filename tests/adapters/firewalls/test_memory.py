"""The firewall in memory keeps the contract, so that tests may stand on it."""

import asyncio

from adapters.firewalls.contract import AfterKill, Counting, FirewallContract, Promises, RangeForm, Story
from banlistd.adapters.firewalls.memory import MemoryFirewall
from banlistd.backends import BackendName


class TestMemoryFirewall(FirewallContract):
    promises = Promises(AfterKill.NOTHING, Counting.NOTHING, RangeForm.RANGES)
    backend = BackendName.MEMORY

    def run(self, story: Story) -> None:
        async def whole() -> None:
            firewall = MemoryFirewall()
            await story(firewall)
            await firewall.close()

        asyncio.run(whole())
