from pathlib import Path

import pytest

from banlistd.adapters.names.host_files import HostRules, read_rules, switch_services

HOSTS = "127.0.0.1 localhost\n192.0.2.1\toffice.example.org Office # vpn.example.org\n"


@pytest.mark.parametrize(
    ("switch", "services"),
    [
        ("hosts: files dns\n", ("files", "dns")),
        ("passwd: files\nhosts:\tfiles mdns4_minimal [NOTFOUND=return] dns # nis\n", ("files", "mdns4_minimal", "dns")),
        ("hosts: mymachines resolve [!UNAVAIL=return] files dns\n", ("mymachines", "resolve", "files", "dns")),
        ("hosts: files[ SUCCESS = return ]dns\n", ("files", "dns")),
        ("#hosts: nis\n", ("files", "dns")),
        ("", ("files", "dns")),
    ],
)
def test_services_are_those_of_the_line_hosts(switch: str, services: tuple[str, ...]) -> None:
    assert switch_services(switch) == services


def rules(folder: Path, switch: str, *, resolved: bool = False) -> HostRules:
    (folder / "nsswitch.conf").write_text(switch)
    (folder / "hosts").write_text(HOSTS)
    if resolved:
        (folder / "stub").write_text("nameserver 127.0.0.53\n")
    return read_rules(*(str(folder / name) for name in ("nsswitch.conf", "hosts", "resolv.conf", "stub")))


@pytest.mark.parametrize(
    ("switch", "name", "asks"),
    [
        ("hosts: files dns", "vpn.example.org", True),
        ("hosts: files dns", "office.example.org", False),
        ("hosts: files dns", "example.org", True),
        ("hosts: dns files", "office.example.org", True),
        ("hosts: resolve dns", "office.example.org", False),
        ("hosts: files mdns4_minimal [NOTFOUND=return] dns", "vpn.example.org", True),
        ("hosts: files dns", "office", False),
        ("hosts: files dns", "nas.local", False),
        ("hosts: files dns", "a.localhost", False),
        ("hosts: files sss dns", "vpn.example.org", False),
        ("hosts: files mymachines myhostname dns", "vpn.example.org", True),
        ("hosts: files", "vpn.example.org", False),
    ],
)
def test_name_servers_are_asked_for_what_they_are_the_first_to_know(tmp_path: Path, switch: str, name: str, asks: bool) -> None:
    assert rules(tmp_path, switch).is_for_name_servers(name) is asks


def test_systemd_resolved_is_asked_where_the_host_asks_it_and_it_listens(tmp_path: Path) -> None:
    assert rules(tmp_path, "hosts: resolve dns").servers == str(tmp_path / "resolv.conf")
    assert rules(tmp_path, "hosts: resolve dns", resolved=True).servers == str(tmp_path / "stub")
    assert rules(tmp_path, "hosts: files dns", resolved=True).servers == str(tmp_path / "resolv.conf")


def test_files_that_are_missing_count_as_the_c_library_has_it(tmp_path: Path) -> None:
    found = read_rules(*(str(tmp_path / name) for name in "abcd"))
    assert (found.first, found.hosts, found.servers) == (("files",), "", str(tmp_path / "c"))
