"""Ids of sources that are written without one."""

import re

_URL = re.compile(r"https?://([^/?#]+)([^?#]*)", re.ASCII)
_LONGEST = 40


def id_of_url(url: str) -> str:
    """Made of the host and the last part of the path; what is no URL gives an id of its letters. May be empty."""
    found = _URL.fullmatch(url.partition("?")[0].partition("#")[0])
    if found is None:
        return id_of_words(url)
    host, path = found[1].rpartition("@")[2], found[2].rstrip("/").rpartition("/")[2].partition(".")[0]
    return id_of_words(f"{host} {path}")


def id_of_words(text: str) -> str:
    """Its letters and digits, joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST].strip("-")
