import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from banlistd.adapters.fetch.named_files import remarks_on_named_files
from banlistd.core.config.model import Config
from banlistd.core.config.sections.block import Block
from banlistd.core.config.sections.geo import Geo
from banlistd.core.config.sections.verify import Verify
from banlistd.core.config.service.mqtt import Broker, Mqtt, MqttTls
from banlistd.model import SourceId
from support.certificates import self_signed
from support.sources import config_of, source

LIST = SourceId("list")


def messages(config: Config, *folders: Path, account: str = "nobody") -> list[str]:
    return [remark.message for remark in remarks_on_named_files(config, folders, account)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Unlike those of pytest, other accounts may enter it."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_file_that_can_be_read_a_url_and_a_disabled_source_are_no_fault(folder: Path) -> None:
    (folder / "list.txt").write_text("192.0.2.1\n")
    disabled = source(SourceId("off"), path=folder / "gone.txt", enabled=False)
    assert (
        messages(config_of(source(LIST, path=folder / "list.txt"), source(SourceId("url")), disabled), folder / "secret") == []
    )


def test_a_missing_list_a_folder_and_a_list_among_credentials_are_named(folder: Path) -> None:
    (folder / "secret").mkdir()
    (folder / "secret" / "token").write_text("x")
    cases = {
        "gone.txt": f"cannot read {folder}/gone.txt: no such file or directory",
        "secret": "is not a regular file",
        "secret/token": "leads into a folder of credentials",
    }
    for name, words in cases.items():
        (message,) = messages(config_of(source(LIST, path=folder / name)), folder / "secret")
        assert message.startswith("will fail: list: ")
        assert words in message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look as another account")
def test_root_looks_as_the_account_of_the_service(folder: Path) -> None:
    (folder / "list.txt").write_text("192.0.2.1\n")
    (folder / "list.txt").chmod(0o600)
    config = config_of(source(LIST, path=folder / "list.txt"))
    assert messages(config, folder / "secret") == [f"will fail: list: cannot read {folder}/list.txt: permission denied"]
    assert messages(config, folder / "secret", account="no-such-account") == []


def test_standard_input_is_nothing_for_the_service(folder: Path) -> None:
    assert messages(config_of(source(LIST, path=Path("-"))), folder) == ["will fail: list: the service has no standard input"]


@pytest.mark.parametrize("key", ["ca", "client_certificate"])
def test_a_certificate_that_cannot_be_read_is_named(folder: Path, key: str) -> None:
    (folder / "there.pem").write_text("x")
    assert messages(config_of(source(LIST, **{key: folder / "there.pem"})), folder / "secret") == []
    (message,) = messages(config_of(source(LIST, **{key: folder / "gone.pem"})), folder / "secret")
    assert message == f"will fail: list: {key}: cannot read {folder}/gone.pem: no such file or directory"


def test_a_keyring_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "there.gpg").write_text("x")
    assert messages(config_of(source(LIST, verify=Verify(keyring=folder / "there.gpg"))), folder / "secret") == []
    (message,) = messages(config_of(source(LIST, verify=Verify(keyring=folder / "gone.gpg"))), folder / "secret")
    assert message == f"will fail: list: keyring: cannot read {folder}/gone.gpg: no such file or directory"


@pytest.mark.parametrize(
    "settings",
    [{"body": "${credential:gone}"}, {"proxy": "http://${credential:gone}@a.example"}, {"client_key": "${credential:gone}"}],
)
def test_a_credential_of_a_request_that_is_nowhere_is_named(folder: Path, settings: dict[str, str]) -> None:
    (message,) = messages(config_of(source(LIST, **settings)), folder)
    assert message == f"will fail: list: there is no credential gone in {folder}"


def test_a_credential_that_is_nowhere_is_named_once(folder: Path) -> None:
    wanted = source(LIST, url="https://lists.example/${credential:key}", headers={"A": "${credential:key} ${credential:token}"})
    for name in ("secret", "given"):
        (folder / name).mkdir()
    where = f"in {folder}/secret"
    found = messages(config_of(wanted), folder / "secret", folder / "given")
    assert found == [f"will fail: list: there is no credential {name} {where}" for name in ("key", "token")]
    (folder / "secret" / "key").write_text("x")
    (folder / "given" / "banlistd_token").write_text("x")
    assert messages(config_of(wanted), folder / "secret", folder / "given") == []


def test_a_block_needs_one_database_that_can_be_read(folder: Path) -> None:
    block = source(LIST, url=None, block=Block(countries=("NO",)))
    geo = Geo(databases=(folder / "a.mmdb", folder / "b.mmdb"))
    (message,) = messages(config_of(block, geo=geo), folder / "secret")
    assert message.startswith("will fail: list: no database of addresses: ")
    (folder / "b.mmdb").touch()
    assert messages(config_of(block, geo=geo), folder / "secret") == []


def test_a_certificate_for_the_broker_that_is_for_another_host_or_none_is_named(folder: Path) -> None:
    made = self_signed(folder, "node-1")
    certificate = Path(f"{made}.crt")
    certificate.chmod(0o644)
    tls = MqttTls(ca=certificate, certificate=certificate, key="${credential:mqtt-key}")
    mqtt = Mqtt(broker=Broker("broker.example", 8883, has_tls=True), id="node-1", tls=tls)

    def found(**changed: object) -> list[str]:
        return messages(replace(config_of(), mqtt=replace(mqtt, **changed)), folder / "secret")  # type: ignore[arg-type]

    assert found() == found(id="node-2", user="node-2") == []
    assert found(id="node-2") == [f"mqtt: {certificate} is for node-1 (CN), and this host is node-2 in the topics"]
    certificate.write_text("no certificate")
    assert found() == [f"will fail: mqtt: tls: certificate: {certificate} is no certificate"]
    certificate.unlink()
    assert found() == [f"will fail: mqtt: tls: certificate: cannot read {certificate}: no such file or directory"]
