"""What a configuration asks of banlistd-notify, with the receivers that it names."""

from collections.abc import Mapping
from dataclasses import dataclass

from banlistd.core.config.service.notify import Notify
from banlistd.ports.notices import NoticeReceiver


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """`urls` and `hooks`: receivers by name. `hook_events`: the names of the events for which each hook is run."""

    notify: Notify
    urls: Mapping[str, NoticeReceiver]
    hooks: Mapping[str, NoticeReceiver]
    hook_events: Mapping[str, frozenset[str]]

    @property
    def receivers(self) -> Mapping[str, NoticeReceiver]:
        return {**self.urls, **self.hooks}

    def digest_of(self, name: str) -> float:
        return self.notify.digest if name in self.urls else 0.0
