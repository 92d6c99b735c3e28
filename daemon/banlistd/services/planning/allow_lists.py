"""The policy in force: that of the configuration, and what the allow lists name at this moment."""

from collections.abc import Callable, Mapping
from functools import lru_cache

from banlistd.core.feeds.content import Content
from banlistd.core.ruleset.allowing.lists import AllowLists, allow_lists
from banlistd.core.ruleset.policy import Policy
from banlistd.model import SourceId


def lists_in_force(policy: Policy, content_of: Callable[[SourceId], Content | None]) -> AllowLists | None:
    """What the allow lists of a policy name; None where there is none, or none with a content."""
    contents = tuple(content for name in _allowing(policy) if (content := content_of(name)) is not None and not content.adopted)
    return _joined(contents) if contents else None


def effective_policy(policy: Policy, contents: Mapping[SourceId, Content]) -> Policy:
    """The policy with what the allow lists name; the very same one where that is nothing."""
    lists = lists_in_force(policy, contents.get)
    return policy if lists is None else _effective(policy, lists)


# Asked for at each import, of thousands of sources.
@lru_cache(maxsize=4)
def _allowing(policy: Policy) -> tuple[SourceId, ...]:
    return policy.allowing


# The contents are asked for at every plan and every order, and change with a poll: a list of 10,000 networks takes 20 ms.
@lru_cache(maxsize=4)
def _joined(contents: tuple[Content, ...]) -> AllowLists:
    return allow_lists(content.addresses for content in contents)


@lru_cache(maxsize=4)
def _effective(policy: Policy, lists: AllowLists) -> Policy:
    return lists.added_to(policy)
