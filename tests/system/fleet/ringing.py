"""Rings the bell of a fleet, as a hub does."""

import asyncio
from pathlib import Path

from support.mosquitto import Mosquitto, listening_to
from support.reporters import FLEET

_BELL = f"banlistd/v1/{FLEET}/bell"


def ring(mosquitto: Mosquitto, repository: Path) -> None:
    """`repository`: its folder."""

    async def publish() -> None:
        async with listening_to(mosquitto) as heard:
            await heard.client.publish(_BELL, (repository / "metadata/timestamp.json").read_bytes(), qos=1, retain=True)

    asyncio.run(publish())
