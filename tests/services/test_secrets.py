"""Nothing that a server echoes or a link leads to brings a secret into the journal, an answer or the database."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest

from banlistd.core.config.model import Config, Source
from banlistd.model import OutcomeKind, SourceId
from banlistd.paths import Paths
from support.fakes import FakeFetcher
from support.feed_server import FeedServer, Handler, body, redirect, status
from support.in_process_parser import ONE_TRY, downloads
from worlds import DaemonWorld, Environment, run

SECRET = "S3CR3T-TOKEN-42"  # noqa: S105 - what must not be found again
ID = SourceId("hub")

ANSWERS: dict[str, Handler] = {
    "a body": body(f"error: key Bearer {SECRET} has expired\n".encode()),
    "many lines": body(f"{SECRET}\n".encode() * 9 + b"192.0.2.1\n"),
    "a redirect": redirect(f"ftp://evil.example/{SECRET}"),
    "a long redirect": redirect("ftp://evil.example/" + "x" * 170 + SECRET),
    "a host": redirect(f"http://{SECRET}.invalid/"),
    "an error": status(403, {"X-Echo": SECRET}, SECRET.encode()),
}


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)


def seen_of(tmp_path: Path, source: Source) -> str:
    """Everything that one failed poll leaves: events, answers, and the database as it is on disk."""
    paths = Paths(tmp_path, tmp_path, tmp_path, tmp_path / "creds")
    fetcher = downloads("1", paths.credentials, closed=paths.secret_folders, retry=ONE_TRY)
    environment = Environment(tmp_path, fetcher=cast("FakeFetcher", fetcher))
    seen: list[str] = []

    async def life(world: DaemonWorld) -> None:
        outcome = await world.poll(ID)
        assert outcome.kind in {OutcomeKind.REFUSED, OutcomeKind.FAILED}
        seen.append(json.dumps([asdict(event) for event in world.announcer.events], default=str))
        for command in ("sources", "history", "quarantine", "status"):
            answer: Any = await world.ask(command)
            seen.append(json.dumps(answer))

    run(environment, Config(sources=(source,)), life)
    seen += [path.read_bytes().decode("latin-1") for path in tmp_path.glob("db*")]
    text = "\n".join(seen)
    assert "hub: " in text
    return text.lower()


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    folder = tmp_path / "creds"
    folder.mkdir()
    (folder / "banlistd_TOKEN").write_text(f"{SECRET}\n")
    return folder


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("header", ["Bearer ${credential:TOKEN}", f"Bearer {SECRET}"], ids=["credential", "typed in clear"])
def test_a_server_that_echoes_a_secret_does_not_spread_it(tmp_path: Path, credentials: Path, answer: str, header: str) -> None:
    with FeedServer() as server:
        server.behave("/l", ANSWERS[answer])
        source = Source(id=ID, url=server.url("/l"), headers={"Authorization": header}, timeout=10.0)
        assert "s3cr3t" not in seen_of(tmp_path, source)


@pytest.mark.parametrize("folder", ["creds", "credentials"])
def test_a_list_that_is_a_link_to_a_credential_is_not_read(tmp_path: Path, credentials: Path, folder: str) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "banlistd_TOKEN").write_text(SECRET)
    (tmp_path / "mine").symlink_to(tmp_path / folder / "banlistd_TOKEN")
    seen = seen_of(tmp_path, Source(id=ID, path=tmp_path / "mine", timeout=10.0))
    assert "s3cr3t" not in seen
    assert "folder of credentials" in seen
