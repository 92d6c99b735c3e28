"""Orders to allow, read from the fields of a request. Pure."""

from collections.abc import Mapping

from banlistd.core.addresses.text import span_text
from banlistd.core.config.reading.names import host_name
from banlistd.core.config.values import Unfit
from banlistd.core.manual.manual_bans import read_ban, read_confirm, too_wide
from banlistd.core.ruleset.manual_allows import AllowOrder, NameOrder
from banlistd.errors import UsageError
from banlistd.model import Span

_SAMPLE = "192.0.2.1"  # in place of a name, where only the other fields are read


def read_allow(fields: Mapping[str, object], uid: int | None = None) -> AllowOrder | NameOrder:
    """An order from its fields `address` (an address, a network, a range or a host name), `for` and `comment`.

    Raises UsageError.
    """
    target = read_allow_target(fields)
    text = _SAMPLE if isinstance(target, str) else fields["address"]
    read = read_ban({**{key: fields[key] for key in ("for", "comment") if key in fields}, "address": text}, uid)
    if isinstance(target, str):
        return NameOrder(target, read.seconds, read.comment, uid)
    if too_wide(read):
        raise UsageError(
            f"{span_text(read.span)} is wider than a command may allow: at most a /8, or a /12 of IPv6",
            "allow parts of it, or write it under allow: in the configuration",
        )
    return AllowOrder((target,), read.seconds, read.comment, uid)


def read_allow_target(fields: Mapping[str, object]) -> Span | str:
    """The field `address`: addresses, or a host name with a dot or of letters. Raises UsageError."""
    text = fields.get("address")
    if isinstance(text, str) and ":" not in text:
        try:
            return host_name(text.strip()) if text.strip(" .").rpartition(".")[2][:1].isalpha() else read_confirm(fields).span
        except Unfit as verdict:
            raise UsageError(f"address: {verdict.words}", verdict.hint) from verdict
    return read_confirm(fields).span
