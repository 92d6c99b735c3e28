"""fail2ban's own jails ban through banlistd, over its control socket, from within fail2ban's server.

    [DEFAULT]
    banaction = banlistd.py
    banaction_allports = banlistd.py

It bans an address on every port. Bans stay while fail2ban is stopped or reloaded; banlistd lifts them at their end. What
fail2ban brings again when it starts, and banlistd has still, is left as it is. A jail never waits: bans and unbans are sent
in order from a thread, all that have gathered in one transaction. While banlistd is away they are kept and sent later.

Options: banlistd.py[socket="/run/banlistd/control.sock", prefix6="64"]; with prefix6, an IPv6 address means its /64.
"""

import json
import re
import socket
import threading
import time

from fail2ban.server.actions import ActionBase

MOST_LINES = 20000  # of one order, so that a later unban does not wait long
LONGEST = 3650 * 86400  # seconds; banlistd takes no longer end, and bantime.increment doubles the time without a bound
MOST_REFUSALS = 200  # of what is sent at once; then what is left is sent as it is
PAUSE = 2.0  # seconds until it tries again
LAST_SECONDS = 10.0  # of a stop of fail2ban, to send what is left


class RefusedError(Exception):
    """banlistd refused an order: a second try would end alike."""


class BanlistdAction(ActionBase):
    """The bans of one jail, under the origin fail2ban/JAIL: when one jail unbans an address, the ban of another jail stays."""

    def __init__(self, jail, name, socket="/run/banlistd/control.sock", prefix6="", **_):
        super().__init__(jail, name)
        self._place, self._prefix6 = socket, prefix6
        # banlistd takes no other characters, and at most 60.
        self._origin = ("fail2ban/%s" % re.sub(r"[^A-Za-z0-9 ._/:@+-]", "_", jail.name))[:60]
        # The last order about each address counts; the dictionary keeps them in the order in which they came.
        self._waiting = {}
        self._changed = threading.Condition()
        self._thread = None
        self._stopping = False
        self._until = 0.0

    _prolongable = True

    def start(self):
        self._stopping = False
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="banlistd", daemon=True)
            self._thread.start()

    def stop(self):
        """Send what is left. The bans stay."""
        with self._changed:
            self._stopping, self._until = True, time.monotonic() + LAST_SECONDS
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(LAST_SECONDS)
            self._thread = None

    def clearAllParams(self):
        """fail2ban asks for it before a reload; without it, it would unban everything and make the action again."""

    def reload(self, socket="/run/banlistd/control.sock", prefix6="", **_):
        """The bans stay."""
        self._place, self._prefix6 = socket, prefix6

    def ban(self, info):
        bantime = info["bantime"]
        end = None if bantime < 0 else int(info["time"]) + bantime
        self._put(str(info["ip"]), ("ban", end, "%s failures" % info["failures"], bool(info["restored"])))

    def prolong(self, info):
        self.ban(info)

    def unban(self, info):
        self._put(str(info["ip"]), ("unban", None, "", False))

    def flush(self):
        """When the jail stops its bans stay; fail2ban goes on to unban one by one only if it is to forget them."""
        if not self._jail.actions.active:
            return True
        return False

    def _put(self, address, order):
        if "#" in address or len(address.split()) != 1:
            # What a filter with <F-ID> finds: in a line for banlistd, its first word may be the address of another.
            self._logSys.error("[%s] %r is no address, and cannot be banned", self._jail.name, address)
            return
        with self._changed:
            self._waiting.pop(address, None)
            self._waiting[address] = order
            self._changed.notify()

    def _run(self):
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                # After a stop in which banlistd did not answer, a start has another thread: two would mix up the order.
                if not self._waiting or self._thread is not threading.current_thread():
                    return
                orders = self._taken()
            try:
                self._send(orders)
            except (OSError, ValueError) as error:
                self._logSys.warning("[%s] banlistd does not answer, will try again: %s", self._jail.name, error)
                with self._changed:
                    # A newer order about the same address takes the place of the one that failed.
                    self._waiting = {**orders, **self._waiting}
                    if self._stopping and time.monotonic() > self._until:
                        return
                time.sleep(PAUSE)

    def _taken(self):
        """The first orders of one kind, which one request carries: bans, restored bans, or unbans."""
        kind, orders = None, {}
        for address, order in self._waiting.items():
            if kind not in (None, (order[0], order[3])) or len(orders) == MOST_LINES:
                break
            kind = (order[0], order[3])
            orders[address] = order
        for address in orders:
            del self._waiting[address]
        return orders

    def _send(self, orders):
        """One wrong line makes banlistd refuse the whole order: then each half is sent, until the wrong ones are alone."""
        waiting, refusals = [list(orders.items())], 0
        while waiting:
            some = waiting.pop()
            try:
                self._order(dict(some))
            except RefusedError as error:
                refusals += 1
                if len(some) > 1 and refusals < MOST_REFUSALS:
                    half = len(some) // 2
                    waiting += [some[half:], some[:half]]
                else:
                    more = "" if len(some) == 1 else " and %d more" % (len(some) - 1)
                    self._logSys.error("[%s] banlistd refuses %r%s: %s", self._jail.name, some[0][0], more, error)

    def _order(self, orders):
        now = time.time()
        command, _, _, is_restored = next(iter(orders.values()))
        lines = [
            address if command == "unban" else self._line(address, end, now, comment)
            for address, (_, end, comment, _) in orders.items()
            if end is None or end - now >= 1
        ]
        if not lines:
            return
        body = {"address": lines, "origin": self._origin}
        if self._prefix6:
            body["prefix6"] = str(self._prefix6)
        if is_restored:
            body["keep"] = True
        answer = self._ask("/v1/%s" % command, body)
        for row in answer.get("skipped", ()):
            self._logSys.error("[%s] %s is never banned: %s", self._jail.name, row["address"], row["reason"])

    @staticmethod
    def _line(address, end, now, comment):
        return "%s %s" % (address if end is None else "%s for %ds" % (address, min(end - now, LONGEST)), comment)

    def _ask(self, path, body):
        data = json.dumps(body).encode()
        head = "POST %s HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(60)
            connection.connect(self._place)
            connection.sendall((head % (path, len(data))).encode() + data)
            pieces = []
            while True:
                piece = connection.recv(1 << 16)
                if not piece:
                    break
                pieces.append(piece)
        status, _, document = b"".join(pieces).partition(b"\r\n\r\n")
        answer = json.loads(document)
        if b" 200 " in status.split(b"\r\n")[0] + b" ":
            return answer
        try:
            message, code = answer["error"]["message"], answer["error"]["exit_code"]
        except (KeyError, TypeError) as error:
            raise ValueError("its answer cannot be understood") from error
        if code in (64, 65):
            raise RefusedError(message)
        raise OSError(message)


Action = BanlistdAction
