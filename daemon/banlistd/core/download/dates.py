"""The day in a URL: `%Y`, `%m` and `%d`, which are no percent-encoding where the first two of them are in it."""

from urllib.parse import urlsplit, urlunsplit

Day = tuple[str, str, str]
"""Year, month and day, with all their digits, in UTC."""


def has_day(url: str) -> bool:
    parts = urlsplit(url)
    return any(sign in parts.path + parts.query for sign in ("%Y", "%m"))


def with_day(url: str, day: Day) -> str:
    """A URL for a day; the same one where no day is in it. The host has none."""
    if not has_day(url):
        return url
    parts = urlsplit(url)
    path, query = parts.path, parts.query
    for sign, digits in zip(("%Y", "%m", "%d"), day, strict=True):
        path, query = path.replace(sign, digits), query.replace(sign, digits)
    return urlunsplit(parts._replace(path=path, query=query))
