"""What a fleet needs of other keys, and a source of the fleet."""

from collections.abc import Iterable, Sequence

from banlistd.core.config.model import Config, Source
from banlistd.core.config.problems import Spot
from banlistd.core.printing import shown
from banlistd.model import Remark


def check_fleet(config: Config, sources: Sequence[tuple[Source | None, Spot]], main: Spot) -> None:
    """`sources`: with the places where they are written; None for one in which something else is wrong. `main`: of the file
    that has `fleet`.
    """
    fleet = config.fleet
    if fleet and fleet.report and config.mqtt is None:
        main.at("fleet", "report").wrong("needs mqtt:, which reports go over", "add mqtt: {broker: mqtts://...}")
    if fleet and fleet.publish:
        _check_published(fleet.publish.lists, (source for source, _ in sources), main.at("fleet", "publish").at("lists"))
    for source, spot in sources:
        if source is not None and source.enabled:
            _check_source(config, source, spot)


def remarks_on_cosigned(config: Config) -> Sequence[Remark]:
    """On shared bans that two hubs were to sign: each hears of them at its own moments, so their lists differ."""
    publish = config.fleet.publish if config.fleet else None
    return [
        Remark(
            f"{source.id}: made of reports, so no other hub has the same list to sign (publish: cosigners)",
            "share bans in a fleet of its own, with one signature",
        )
        for source in config.sources
        if publish and publish.cosigners and source.enabled and source.reports and source.id in publish.lists
    ]


def _check_published(lists: Iterable[str], sources: Iterable[Source | None], spot: Spot) -> None:
    for name in sorted({*lists} - {source.id for source in sources if source}):
        spot.wrong(f"{shown(name)} is no source", "publish the id of one")


def _check_source(config: Config, source: Source, spot: Spot) -> None:
    fleet = config.fleet
    if source.hub and fleet is None:
        spot.at("hub").wrong("has no fleet", "add fleet: {name: ..., root: ..., urls: [...]}")
    elif source.hub and fleet and fleet.root is None:
        spot.at("hub").wrong("needs root and urls under fleet:, by which a list is proven", "add both")
    if source.reports and (fleet is None or fleet.publish is None):
        hint = f"add publish: {{lists: [{source.id}], key: ${{credential:hub-key}}}}"
        spot.at("reports").wrong("needs publish under fleet:, for only a hub gathers reports", hint)
    if source.reports and config.mqtt is None:
        spot.at("reports").wrong("needs mqtt:, which reports come over", "add mqtt: {broker: mqtts://...}")
