"""Delivers what waits for each receiver, one receiver independent of the others."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress

from banlistd.core.notices.notice import Notice
from banlistd.core.notices.queues import Queue
from banlistd.errors import DeliveryError
from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Clock
from banlistd.ports.notices import NoticeReceiver
from banlistd.services.notices.settings import NoticeSettings

_MESSAGES_AT_ONCE = 2
"""Each is a process of some 46 MB (measured), and the unit has 384."""


class Deliveries:
    """`queues`: what waited before. `save` is called after each change. `jitter`: 0 to 1, at random."""

    def __init__(
        self,
        settings: NoticeSettings,
        queues: Mapping[str, Queue],
        save: Callable[[], None],
        announcer: Announcer,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self.queues = dict(queues)
        self._save = save
        self._announcer = announcer
        self._clock = clock
        self._jitter = jitter
        self._settings = settings
        self._tasks: dict[str, tuple[asyncio.Task[None], asyncio.Event]] = {}
        self._messages = asyncio.Semaphore(_MESSAGES_AT_ONCE)

    def use(self, settings: NoticeSettings) -> None:
        """Deliver as these settings say from now on. What waits for a receiver that they do not name is dropped."""
        self._settings = settings
        names = settings.receivers.keys()
        self.queues = {name: queue for name, queue in self.queues.items() if name in names}
        for name in self._tasks.keys() - names:
            self._tasks.pop(name)[0].cancel()
        for name in names:
            if name not in self._tasks:
                wake = asyncio.Event()
                self._tasks[name] = (asyncio.create_task(self._deliver(name, wake)), wake)
        self.wake()

    def put(self, name: str, notices: Sequence[Notice]) -> None:
        """What `wake` will deliver to this receiver. The caller saves first."""
        if notices:
            self.queues[name] = self.queues.get(name, Queue()).with_more(notices)

    def wake(self) -> None:
        for _, wake in self._tasks.values():
            wake.set()

    async def stop(self) -> None:
        """What is under way is given up, and delivered by the next start."""
        tasks = [task for task, _ in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def waiting(self) -> int:
        return sum(len(queue.waiting) for queue in self.queues.values())

    async def _deliver(self, name: str, wake: asyncio.Event) -> None:
        while True:
            wake.clear()
            queue = self.queues.get(name, Queue())
            seconds = queue.seconds_to_wait(self._clock.now(), self._settings.digest_of(name))
            if seconds is None or seconds > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await wake.wait()
                continue
            await self._send(name, self._settings.receivers[name], queue)

    async def _send(self, name: str, receiver: NoticeReceiver, queue: Queue) -> None:
        batch = queue.batch(receiver.most)
        try:
            async with self._messages if name in self._settings.urls else nullcontext():
                said = await receiver.deliver(batch, queue.lost, len(queue.waiting) - len(batch))
        except DeliveryError as error:
            now_waiting = self.queues.get(name, queue)
            if error.is_final:
                self.queues[name] = now_waiting.delivered(batch, queue.lost)
            else:
                self.queues[name] = now_waiting.failed(batch, self._clock.now(), self._jitter())
            self._save()
            if error.is_final or not queue.failures:
                self._announce(EventName.NOTICE_FAILED, f"{name}: {error}", name, str(error))
        else:
            self.queues[name] = self.queues.get(name, queue).delivered(batch, queue.lost)
            # Once this is in the journal, a restart does not deliver it again.
            self._save()
            self._announce(EventName.NOTICE_DELIVERED, f"{name}: delivered{f': {said}' if said else ''}", name, said)

    def _announce(self, event: EventName, message: str, name: str, reason: str) -> None:
        self._announcer.announce(Event(event, message, {"RECEIVER": name, **({"REASON": reason} if reason else {})}))
