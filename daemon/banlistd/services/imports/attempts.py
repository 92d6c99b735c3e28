"""What becomes of a poll that takes more than one body."""


async def already_counted() -> None:
    """An OnBody for the bodies behind the first one: a poll is one attempt."""
