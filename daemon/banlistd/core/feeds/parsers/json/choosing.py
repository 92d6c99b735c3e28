"""Which of the places with addresses are the list, if that is beyond doubt; otherwise an error that says what to write."""

from banlistd.core.feeds.parsers.json.looking import JsonLook
from banlistd.core.feeds.parsers.json.paths import ITEMS
from banlistd.core.feeds.parsers.json.seen import KeyPair
from banlistd.core.feeds.parsers.json.words import (
    FLAGS,
    KeyRole,
    differ_in_family,
    is_no_ban,
    is_of_ranges,
    key_role,
    key_words,
    say_the_same,
)
from banlistd.errors import ParseError
from banlistd.formats import Condition, Format, FormatType, Operator

_MAX_PATHS = 16
_SHOWN = 4
_NETWORKS = frozenset(
    ("network", "networks", "net", "subnet", "subnets", "prefix", "prefixes", "range", "ranges", "base", "cidr", "block")
)


def expected(look: JsonLook, form: Format) -> int:
    """How many addresses, networks or ranges a chosen format must find."""
    total = 0
    for at, path in enumerate(form.paths or (form.field,)):
        end = form.ends[at] if form.ends else ""
        last = f"{_parent(path)}.{end}".removeprefix(".")
        total += look.pairs[path, last].together if end else look.places[path].addresses
    return total


def chosen_format(look: JsonLook, kind: FormatType) -> Format | None:
    """The format that reads the addresses that were found; None without any. Raises ParseError where it may be another."""
    if not look.places:
        return None
    if look.doubt is not None:
        raise ParseError(*look.doubt)
    return _Choice(look, kind).made()


class _Choice:
    def __init__(self, look: JsonLook, kind: FormatType) -> None:
        self._look = look
        self._kind = kind

    def made(self) -> Format:
        left = [path for path in self._look.places if not is_no_ban(path) and not self._is_mask(path)]
        if not left:
            raise self._doubt(list(self._look.places), "the addresses may be no bans")
        groups: dict[str, list[str]] = {}
        for path in left:
            groups.setdefault(_parent(path), []).append(path)
        places = [place for group in groups.values() for place in self._of_group(self._without_parts(group))]
        for path, end, length in places:
            found = self._look.places[path]
            if not end and not length and found.together and found.together == found.twos and is_of_ranges(path):
                raise self._doubt([path], "two addresses together may be the ends of a range, or not")
        paths = [path for path, _, _ in places]
        self._refuse_beside(paths)
        if len(paths) > 1 and (len(paths) > _MAX_PATHS or not (say_the_same(paths) or _are_of_github(paths))):
            raise self._doubt(paths, "several places have addresses")
        return self._format(places)

    def _refuse_beside(self, paths: list[str]) -> None:
        """An address of a record, and an array in it: `ip` beside `networks`, which may be where the address belongs."""
        for one in paths:
            for other in paths:
                alike = other.endswith(ITEMS) and not one.endswith(ITEMS) and ITEMS in one
                if alike and _parent(one) == _parent(other.removesuffix(ITEMS)) and not differ_in_family([one, other]):
                    raise self._doubt([one, other], "several keys of an object have addresses")

    def _format(self, places: list[tuple[str, str, str]]) -> Format:
        paths, ends, lengths = (tuple(column) for column in zip(*places, strict=True))
        where = tuple(Condition(key, Operator.IS_NOT, FLAGS[truth]) for key, truth in self._look.flags.items())
        alone = self._kind is FormatType.JSONL and len(paths) == 1
        return Format(
            self._kind,
            paths=() if alone else paths,
            field=paths[0] if alone else "",
            ends=ends if any(ends) else (),
            lengths=lengths if any(lengths) else (),
            where=where,
        )

    def _is_mask(self, path: str) -> bool:
        """Whether it has the netmasks of another key."""
        found = self._look.places[path]
        beside = any(path in pair for pair in self._look.pairs)
        return found.masks == found.strings and (beside or key_role(_key(path))[0] is KeyRole.LENGTH)

    def _without_parts(self, group: list[str]) -> list[str]:
        """Without what other keys of the same objects cover, as `cidr` covers `network`."""
        left = list(group)
        for one in group:
            for other in group:
                if one == other or one not in left or other not in left or _are_ends(one, other):
                    continue
                pair, turned = self._pair(one, other)
                if pair.together == self._look.places[one].strings and (pair.last_within if turned else pair.first_within):
                    left.remove(one)
        return left

    def _pair(self, one: str, other: str) -> tuple[KeyPair, bool]:
        """What is known of two keys, and whether that is of the second and the first."""
        pairs = self._look.pairs
        if (one, other) in pairs:
            return pairs[one, other], False
        return (pairs[other, one], True) if (other, one) in pairs else (KeyPair(), False)

    def _of_group(self, group: list[str]) -> list[tuple[str, str, str]]:
        """Path, end and length of each place among the keys of one object."""
        firsts = {path: key_role(_key(path)) for path in group}
        places: list[tuple[str, str, str]] = []
        ends: set[str] = set()
        for path in group:
            role, stem = firsts[path]
            end = self._end_for(path, role, stem, group)
            if end:
                ends.add(end)
                places.append((path, _key(end), ""))
        singles = [path for path in group if path not in ends and all(path != place for place, _, _ in places)]
        for path in singles:
            if firsts[path][0] in _FIRSTS_AND_LASTS and self._look.places[path].bare:
                raise self._doubt(group, "one end of a range has no other end")
            places.append((path, "", self._length_for(path)))
        bare = [path for path, _, _ in places]
        if len(bare) > 1 and self._are_together(bare) and not differ_in_family(bare):
            raise self._doubt(bare, "several keys of an object have addresses")
        return places

    def _are_together(self, paths: list[str]) -> bool:
        return any(self._pair(one, other)[0].together for one in paths for other in paths if one != other)

    def _end_for(self, path: str, role: KeyRole, stem: str, group: list[str]) -> str:
        """The key of the last address, for the key of a first one."""
        wanted = {KeyRole.FIRST: KeyRole.LAST, KeyRole.WEAK_FIRST: KeyRole.WEAK_LAST}.get(role)
        if wanted is None:
            return ""
        for other in group:
            if key_role(_key(other)) == (wanted, stem):
                pair, turned = self._pair(path, other)
                if turned or not pair.together:
                    raise self._doubt([path, other], "the ends of ranges are in no order")
                if not pair.ordered or (role is KeyRole.WEAK_FIRST and not pair.networks):
                    raise self._doubt([path, other], "two keys may be the ends of ranges, or not")
                return other
        return ""

    def _length_for(self, path: str) -> str:
        """The key of the prefix length beside an address."""
        found = self._look.places[path]
        if found.bare < found.strings or not found.bare:
            return ""
        beside = {key: seen for (whole, key), seen in self._look.numbers.items() if whole == path}
        lengths = [key for key, seen in beside.items() if seen.is_mask or key_role(_key(key))[0] is KeyRole.LENGTH]
        if lengths:
            best = max(lengths, key=lambda key: beside[key].lengths)
            if beside[best].others or beside[best].lengths < found.strings:
                raise self._doubt([path], f"{_key(best)} may be the length of a prefix, or not")
            return _key(best)
        is_network = not _NETWORKS.isdisjoint(key_words(_key(path)))
        for key, seen in beside.items():
            if is_network and key_role(_key(key))[0] is KeyRole.SIZE:
                raise self._doubt([path], f"{_key(key)} may be the size of a network, or not")
            if found.strings in (seen.networks, seen.sizes):
                raise self._doubt([path], f"{_key(key)} may make networks of the addresses, or not")
        return ""

    def _doubt(self, paths: list[str], why: str) -> ParseError:
        shown = ", ".join(paths[:_SHOWN]) + (", ..." if len(paths) > _SHOWN else "")
        key = "field" if self._kind is FormatType.JSONL else "path"
        hint = f'write format: {{type: {self._kind}, {key}: "{paths[0][:80]}"}} with the right {key}'
        return ParseError(f"{why}: {shown[:150]}", hint)


_FIRSTS_AND_LASTS = (KeyRole.FIRST, KeyRole.LAST, KeyRole.WEAK_FIRST, KeyRole.WEAK_LAST)


def _are_ends(one: str, other: str) -> bool:
    return key_role(_key(one))[0] in _FIRSTS_AND_LASTS and key_role(_key(other))[0] in _FIRSTS_AND_LASTS


def _are_of_github(paths: list[str]) -> bool:
    """https://api.github.com/meta: each array has networks of GitHub, under the name of a service."""
    return _GITHUB.issubset(path.partition("[")[0] for path in paths)


_GITHUB = frozenset({"hooks", "web", "api", "git"})


def _parent(path: str) -> str:
    """The path of the object that a key is in; of an item of an array the path itself."""
    return path if path.endswith(("[]", "{}")) else path.rpartition(".")[0]


def _key(path: str) -> str:
    return path.rpartition(".")[2]
