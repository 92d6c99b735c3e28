"""What a poll has found, on its way from the guards to the firewall."""

from dataclasses import dataclass, field

from banlistd.core.addresses.timed import TimedEntries
from banlistd.core.config.model import Source
from banlistd.core.credentials import shown_url
from banlistd.core.feeds.content import Content, Ends
from banlistd.core.feeds.evaluate import Reading
from banlistd.core.feeds.parsed_list import Download
from banlistd.core.feeds.quarantine import Confirmed
from banlistd.core.printing import counted, quoted
from banlistd.model import ContentHash, Poll, Rejected, Validators

MAX_SKIPPED = 5
"""Skipped lines that are kept of a list."""

_LONGEST = 100
"""Characters of a text or a reason."""


@dataclass(frozen=True, slots=True)
class Findings:
    """`rejected`: how many lines had no usable address. `skipped`: the first of them, and, as line 0, files of an archive that
    were left out; texts and reasons are printable.
    `moved_to`: the address that its server names instead of its own, for good; empty: none. `octets`: as in `Download`.
    """

    rejected: int = 0
    skipped: tuple[Rejected, ...] = ()
    moved_to: str = ""
    octets: int = 0


def findings_of(source: Source, download: Download) -> Findings:
    """Of a source whose server may echo a secret only the numbers of the lines."""
    parsed = download.parsed
    if source.is_confidential:
        skipped = [Rejected(one.line, "", "") for one in parsed.samples]
    else:
        skipped = [Rejected(one.line, quoted(one.text, _LONGEST), quoted(one.reason, _LONGEST)) for one in parsed.samples]
    return Findings(parsed.rejected, tuple(skipped[:MAX_SKIPPED]), octets=download.octets)


def address_in_words(source: Source, moved_to: str) -> str:
    """Where a list has moved to, for a person: without what may be a secret."""
    hidden = "an address that is not shown, because it may contain a secret"
    return "" if not moved_to else hidden if source.is_confidential else shown_url(moved_to)


def skipped_in_words(findings: Findings) -> str:
    """For one line; empty where nothing was skipped."""
    lines = [line_in_words(one) for one in findings.skipped if one.line]
    files = [line_in_words(one) for one in findings.skipped if not one.line]
    which = "" if findings.rejected == len(lines) else "the first: "
    said = f"{counted(findings.rejected, 'line', 'lines')} skipped" if findings.rejected else ""
    return "; ".join(filter(None, (said + (f" ({which}{'; '.join(lines)})" if lines else ""), *files)))


def line_in_words(one: Rejected) -> str:
    """`line 3 "abc": no address`, or `line 3` where its text is not shown; `file "a.md": not read` for one of an archive."""
    if not one.line:
        return f'file "{one.text}": {one.reason}' if one.reason else "a file of the archive was left out"
    return f'line {one.line} "{one.text}": {one.reason}' if one.reason else f"line {one.line}"


@dataclass(frozen=True, slots=True)
class FoundList:
    """The content that a poll found. `reading`: None for content that is known, whose body was not parsed.

    `before`: the last good content, where there is a reading. `in_spite`: why it is accepted although a guard refused it.
    `findings`: of its reading. `extent`: the share of the address space, for a source that bans by country or network.
    `timed`: every entry with its end, where some of them end by themselves. `ends`: as in `Pending`. `staying`: how many
    entries have left the list and are banned for a time yet. `ttl`: as in `Download`.
    """

    content_hash: ContentHash
    validators: Validators
    reading: Reading | None = field(default=None, repr=False)
    before: Content | None = field(default=None, repr=False)
    in_spite: str = ""
    extent: str = ""
    findings: Findings | None = None
    timed: TimedEntries | None = field(default=None, repr=False)
    ends: Ends | None = None
    staying: int = 0
    ttl: float | None = None

    def in_words(self, entries: int, added: int, removed: int) -> str:
        """What it was and did: `entries` in the list, elements `added` to the firewall and `removed`."""
        changes = f"{counted(added, 'element', 'elements')} added to the firewall, {removed:,} removed"
        skipped = skipped_in_words(self.findings) if self.findings else ""
        stay = f"{counted(self.staying, 'entry', 'entries')} more that left it, banned yet" if self.staying else ""
        remarks = (stay, self.in_spite, self.extent, skipped)
        listed = max(entries - self.staying, 0)
        return "; ".join((f"{counted(listed, 'entry', 'entries')} in the list, {changes}", *filter(None, remarks)))

    @property
    def becomes_empty(self) -> bool:
        """Whether this is the first list without an entry."""
        return self.reading is not None and not self.reading.addresses and bool(self.before and self.before.addresses)

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


@dataclass(frozen=True, slots=True)
class PollEnd:
    """What a poll leaves whose content has been applied, and is written with the completed run. `findings`: None for content
    that was not read now.
    """

    poll: Poll
    findings: Findings | None
    confirmed: Confirmed
