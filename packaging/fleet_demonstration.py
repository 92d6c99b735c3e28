"""Shows a fleet on one screen: what a hub publishes, three nodes ban, in the kernel, from a mirror that none of them trusts.
What two of them report, the third one bans, too; a stolen one bans nothing elsewhere.

packaging/try-fleet calls it in a network namespace of its own, in which it makes those of the five machines.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

BIN = Path(sys.executable).parent
SHIPPED = Path(__file__).resolve().parent / "mosquitto"
NET = "10.77.0"
MACHINES = ("hub", "mirror", "node-1", "node-2", "node-3")
NODES = MACHINES[2:]
OWNERS = ("anna", "ben", "cleo")
FIRST, SECOND = "198.51.100.7", "203.0.113.9"
ATTACKER, USER = "203.0.113.66", "192.0.2.25"
PATIENCE = 30.0

_SERVE = """
import http.server, ssl, sys
from functools import partial
class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer((sys.argv[1], 8443), partial(Quiet, directory=sys.argv[2]))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[3])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


class Machine:
    """A network namespace with an address, and the folders of a banlistd in it."""

    def __init__(self, name: str, number: int, folder: Path, stack: ExitStack) -> None:
        self.name, self.address = name, f"{NET}.{number}"
        self.folder = folder / name
        for part in ("config/credentials", "state", "runtime"):
            (self.folder / part).mkdir(parents=True)
        self._keeper = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        stack.callback(self._keeper.wait)
        stack.callback(self._keeper.kill)
        _until(self._is_apart, f"{name} has no network namespace of its own")
        _run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", str(self._keeper.pid))
        _run("ip", "link", "set", f"to-{name}", "master", "lan", "up")
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            self.run("ip", "link", "set", link, "up")

    def _is_apart(self) -> bool:
        return Path(f"/proc/{self._keeper.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()

    def command(self, *words: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self._keeper.pid}/ns/net", *words]

    def run(self, *words: str) -> str:
        return _run(*self.command(*words))

    def start(self, stack: ExitStack) -> None:
        """Its daemon, whose events go to a file."""
        places = [part for name in ("config", "state", "runtime") for part in (f"--{name}", str(self.folder / name))]
        log = stack.enter_context((self.folder / "log").open("wb"))
        environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(self.folder / "config" / "credentials")}
        daemon = subprocess.Popen(self.command(str(BIN / "banlistd"), *places), stderr=log, env=environment)
        stack.callback(daemon.wait)
        stack.callback(daemon.terminate)

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = self.command(str(BIN / "banlistctl"), "--runtime", str(self.folder / "runtime"), *words)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def has(self, event: str, words: str = "") -> bool:
        text = (self.folder / "log").read_text()
        return any(f'"event": "{event}"' in line.replace('":"', '": "') and words in line for line in text.splitlines())

    def last_words(self) -> str:
        """The last line of its log."""
        log = self.folder / "log"
        return (log.read_text().splitlines() or ["nothing"])[-1] if log.exists() else "nothing"

    def bans(self, address: str) -> bool:
        """Whether its kernel has the address."""
        done = subprocess.run(self.command("nft", "list", "ruleset"), capture_output=True, text=True, check=False)
        return address in done.stdout


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="banlistd-try-fleet-") as folder, ExitStack() as stack:
        _run("ip", "link", "add", "lan", "type", "bridge")
        _run("ip", "link", "set", "lan", "up")
        machines = {name: Machine(name, number, Path(folder), stack) for number, name in enumerate(MACHINES, 1)}
        passed = _demonstrate(Path(folder), machines, stack)
        took = time.monotonic() - began
        print(f"\n{'All of it is proven' if passed else 'NOT all of it is proven'}, in {took:.0f} seconds.")
        print("How to build a fleet: packaging/docs/fleet.md")
    return 0 if passed else 1


def _demonstrate(folder: Path, machines: dict[str, Machine], stack: ExitStack) -> bool:
    hub, mirror, nodes = machines["hub"], machines["mirror"], [machines[name] for name in NODES]
    _title("1 Three people sign offline which hub there is; the hub has none of their keys")
    _ceremony(folder, hub)
    broker = _broker(folder, hub, stack)
    public, copy = hub.folder / "state" / "fleet" / "public", mirror.folder / "fleet"
    (hub.folder / "list.txt").write_text(f"{FIRST}\n")
    lists, reports = ("[drop, reports]", ["id: reports, reports: {quorum: 2}"]) if broker else ("[drop]", [])
    publish = f'publish: {{lists: {lists}, key: "${{credential:hub-key}}", every: 1s}}'
    _configure(
        hub,
        ["backend: memory", f"fleet: {{name: main, {publish}}}", *broker],
        f"id: drop, path: {hub.folder / 'list.txt'}, guards: {{share: off, shrink: off}}",
        *reports,
    )
    hub.start(stack)
    _until(lambda: hub.has("fleet_published", "drop (1 entry)"), "the hub publishes nothing", hub)
    print("  the hub has published its list: 1 entry")

    _title("2 A mirror copies it, and three nodes take it from there")
    _copy(public, copy)
    certificate = _certificate(folder, mirror.address)
    served = subprocess.Popen(
        mirror.command(sys.executable, "-c", _SERVE, mirror.address, str(mirror.folder), str(certificate))
    )
    stack.callback(served.wait)
    stack.callback(served.kill)
    for node in nodes:
        shutil.copy(folder / "main" / "1.root.json", node.folder / "root.json")
        where = f"root: {node.folder}/root.json, urls: ['https://{mirror.address}:8443/fleet'], ca: {certificate}"
        more, shared = "", []
        if broker:
            more = ', report: [fail2ban/*], node_key: "${credential:node-key}"'
            shared = [_access(folder, node, hub), "id: shared, hub: reports, every: 1h, guards: {share: off}"]
        lines = [f"fleet: {{name: main, {where}, spread: 0s{more}}}", *shared[:1]]
        _configure(node, lines, "id: drop, hub: drop, every: 1h, guards: {share: off}", *shared[1:])
        node.start(stack)
    _until(lambda: all(node.bans(FIRST) for node in nodes), f"not all nodes ban {FIRST}", *nodes)
    _tell(nodes, FIRST)

    _title("3 The list changes on the hub: seen everywhere")
    began = time.monotonic()
    (hub.folder / "list.txt").write_text(f"{FIRST}\n{SECOND}\n")
    hub.ctl("refresh", "drop")
    _until(lambda: hub.has("fleet_published", "drop (2 entries)"), "the hub does not publish the change", hub)
    _copy(public, copy)
    for node in nodes:
        node.ctl("refresh", "drop")
    _until(lambda: all(node.bans(SECOND) for node in nodes), f"not all nodes ban {SECOND}", *nodes)
    _tell(nodes, SECOND)
    print(f"  {time.monotonic() - began:.1f} seconds after the change")
    is_shared = _share(hub, nodes, lambda: _copy(public, copy)) if broker else True

    _title(f"{'6' if broker else '4'} The mirror is stolen, and serves a list of the thief")
    for path in (copy / "targets" / "drop").iterdir():
        path.write_bytes(b"all addresses of your users")
    for path in (copy / "metadata").glob("*.drop.json"):
        path.write_text(path.read_text().replace('"entries":2', '"entries":9'))
    version = json.loads((copy / "metadata" / "timestamp.json").read_text())
    version["signed"]["version"] += 1
    (copy / "metadata" / "timestamp.json").write_text(json.dumps(version))
    for node in nodes:
        node.ctl("refresh", "drop")
    refused = [node.has("hub_refused") for node in nodes]
    for node, is_refused in zip(nodes, refused, strict=True):
        print(f"  {node.name}: {'refused, with an event' if is_refused else 'NOT refused'}; its bans are as before")
    return is_shared and all(refused) and all(node.bans(FIRST) and node.bans(SECOND) for node in nodes)


def _share(hub: Machine, nodes: Sequence[Machine], publish: Callable[[], None]) -> bool:
    """Whether a ban of two nodes counts, and one of a stolen node does not. `publish`: copies news to the mirror."""
    _title("4 fail2ban on two nodes bans an address: the hub lists it, and the third node bans it, too")
    for number, node in enumerate(nodes, 1):
        key = json.loads(_ctl("--json", "fleet", "join", node.name, "--folder", str(node.folder / "config" / "credentials")))[
            "key"
        ]
        hub.ctl("nodes", "admit", node.name, "--site", f"site-{number}", "--key", key)
    _until(lambda: all(node.has("mqtt_connected") for node in nodes), "not all nodes have the broker", *nodes)
    began = time.monotonic()
    for node in nodes[:2]:
        node.ctl("ban", ATTACKER, "--for", "1h", "--origin", "fail2ban/sshd")
    _until(lambda: hub.has("fleet_published", "reports (1 entry)"), "the hub does not publish the shared ban", hub)
    publish()
    nodes[2].ctl("refresh", "shared")
    _until(lambda: nodes[2].bans(ATTACKER), f"node-3 does not ban {ATTACKER}", nodes[2])
    _tell(nodes, ATTACKER)
    print(f"  {time.monotonic() - began:.1f} seconds after the bans")

    _title("5 The third node is stolen, and reports the address of a user")
    nodes[2].ctl("ban", USER, "--for", "1h", "--origin", "fail2ban/sshd")
    _until(lambda: "node-3" in hub.ctl("sightings", USER).stdout, "the hub has no report of node-3", hub, nodes[2])
    print("  the hub has its report: one vote of one site")
    hub.ctl("refresh", "reports")
    publish()
    for node in nodes[:2]:
        node.ctl("refresh", "shared")
        print(f"  {node.name}: {USER} is {'banned, and must NOT be' if node.bans(USER) else 'not banned'}")
    hub.ctl("nodes", "suspend", "node-3")
    is_gone = "node-3" not in hub.ctl("sightings", USER).stdout
    print(f"  suspended at the hub: what it has reported is {'gone' if is_gone else 'NOT gone'}")
    return is_gone and not any(node.bans(USER) for node in nodes[:2])


def _broker(folder: Path, hub: Machine, stack: ExitStack) -> list[str]:
    """The shipped mosquitto on the hub, with TLS; what the hub needs to know of it. Empty: there is no mosquitto."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if program is None:
        print("  mosquitto is missing (apt install mosquitto): without it, no node reports a ban")
        return []
    place = folder / "broker"
    place.mkdir()
    made = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=authority")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _run("openssl", "req", *made, *usage, "-keyout", str(place / "ca.key"), "-out", str(place / "ca.pem"))
    request = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=broker")
    _run("openssl", "req", *request, "-keyout", str(place / "broker.key"), "-out", str(place / "broker.csr"))
    _sign(place, place / "broker.csr", place / "broker.pem", hub.address)
    (place / "acl").write_text((SHIPPED / "acl").read_text().replace("/home/", "/main/"))
    config = (SHIPPED / "banlistd.conf").read_text().replace("/etc/mosquitto/banlistd", str(place))
    (place / "mosquitto.conf").write_text(f"{config}\nuser root\n")
    log = stack.enter_context((place / "log").open("wb"))
    running = subprocess.Popen(hub.command(program, "-c", str(place / "mosquitto.conf")), stdout=log, stderr=log)
    stack.callback(running.wait)
    stack.callback(running.kill)
    return [_access(folder, hub, hub)]


def _access(folder: Path, machine: Machine, hub: Machine) -> str:
    """Its keys, made by itself, a certificate for them, and its `mqtt:`."""
    credentials, place = machine.folder / "config" / "credentials", folder / "broker"
    _ctl("fleet", "join", machine.name, "--folder", str(credentials))
    certificate = machine.folder / "mqtt.pem"
    _sign(place, credentials / f"{machine.name}.csr", certificate, machine.address)
    tls = f'{{ca: {place}/ca.pem, certificate: {certificate}, key: "${{credential:mqtt-key}}"}}'
    return f'mqtt: {{broker: "mqtts://{hub.address}:8883", id: {machine.name}, tls: {tls}}}'


def _sign(place: Path, request: Path, certificate: Path, address: str) -> None:
    names = place / "names"
    names.write_text(f"subjectAltName=IP:{address}\n")
    authority = ("-CA", str(place / "ca.pem"), "-CAkey", str(place / "ca.key"), "-CAcreateserial", "-days", "2")
    _run("openssl", "x509", "-req", *authority, "-in", str(request), "-extfile", str(names), "-out", str(certificate))


def _ceremony(folder: Path, hub: Machine) -> None:
    secret = folder / "secret"
    secret.write_text("correct horse battery staple\n")
    for name in OWNERS:
        _ctl("fleet", "new-key", f"{folder}/{name}.key", "--role", "root", "--passphrase-file", str(secret))
    _ctl("fleet", "new-key", f"{folder}/targets.key", "--role", "targets", "--passphrase-file", str(secret))
    hub_key = hub.folder / "config" / "credentials" / "hub-key"
    _ctl("fleet", "new-key", str(hub_key), "--role", "hub", "--name", "hub-a")
    public = [f"{folder}/{name}.key.pub" for name in OWNERS]
    keys = ["--root-keys", *public, "--targets-keys", f"{folder}/targets.key.pub", "--hub-keys", f"{hub_key}.pub"]
    _ctl("fleet", "init", f"{folder}/main", "--name", "main", *keys)
    for name in ("anna", "ben", "targets"):
        said = _ctl(
            "fleet", "sign", f"{folder}/main", "--key", f"{folder}/{name}.key", "--yes", "--passphrase-file", str(secret)
        )
    print("".join(f"  {line}\n" for line in said.splitlines() if "signed by" in line), end="")
    state = ["--state", str(hub.folder / "state")]
    _ctl("fleet", "install", f"{folder}/main", *state)
    _ctl("fleet", "promote", *state)


def _configure(machine: Machine, lines: Sequence[str], *sources: str) -> None:
    written = (f"  - {{{source}}}" for source in sources)
    text = ["log: {format: json}", "geo: {databases: []}", *lines, "sources:", *written, ""]
    (machine.folder / "config" / "banlistd.yaml").write_text("\n".join(text))


def _copy(public: Path, copy: Path) -> None:
    """As a mirror does it: the timestamp comes last."""
    shutil.copytree(public, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("timestamp.json"))
    shutil.copytree(public, copy, dirs_exist_ok=True)


def _certificate(folder: Path, address: str) -> Path:
    """A certificate for the address, signed by itself, and its key, in one file."""
    key, certificate, path = folder / "mirror.key", folder / "mirror.crt", folder / "mirror.pem"
    made = ("-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=mirror")
    _run("openssl", "req", *made, "-addext", f"subjectAltName=IP:{address}", "-keyout", str(key), "-out", str(certificate))
    path.write_bytes(key.read_bytes() + certificate.read_bytes())
    return path


def _tell(nodes: Sequence[Machine], address: str) -> None:
    for node in nodes:
        print(f"  {node.name}: {address} is {'banned in its kernel' if node.bans(address) else 'NOT banned'}")


def _until(condition: Callable[[], bool], fault: str, *machines: Machine) -> None:
    """`fault`: what is said where that takes too long, with the last words of these machines."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            said = [f"  {one.name}: {one.last_words()}" for one in machines]
            raise SystemExit("\n".join([f"after {PATIENCE:.0f} seconds {fault}; the last events:", *said]))
        time.sleep(0.1)


def _ctl(*words: str) -> str:
    return _run(str(BIN / "banlistctl"), *words)


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _title(text: str) -> None:
    print(f"\n{text}")


if __name__ == "__main__":
    sys.exit(main())
