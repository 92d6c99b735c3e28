"""What a poll has found, on its way from the guards to the firewall."""

from dataclasses import dataclass, field

from banlistd.core.feeds.content import Content
from banlistd.core.feeds.evaluate import Reading
from banlistd.core.feeds.quarantine import Confirmed
from banlistd.model import ContentHash, Validators


@dataclass(frozen=True, slots=True)
class FoundList:
    """The content that a poll found. `reading`: None for content that is known, whose body was not parsed.

    `before`: the last good content, where there is a reading. `in_spite`: why it is accepted although a guard refused it.
    `extent`: the share of the address space, for a source that bans by country or network.
    """

    content_hash: ContentHash
    validators: Validators
    reading: Reading | None = field(default=None, repr=False)
    before: Content | None = field(default=None, repr=False)
    in_spite: str = ""
    extent: str = ""

    @property
    def confirmed(self) -> Confirmed:
        """What is remembered of it once it is applied."""
        reading = self.reading
        judgement = reading.judgement if reading else None
        # What was accepted in spite of the guards is what the next lists are compared with, and nothing before it.
        sizes = (judgement.alone if self.in_spite else judgement.sizes) if judgement else None
        sample = judgement.sample if judgement else None
        has_end_count = reading.has_end_count if reading else None
        return Confirmed(self.content_hash, has_end_count, sizes, sample, bool(self.in_spite))
