"""banlistctl ban: ban an address, a network or a range."""

from typing import TYPE_CHECKING, Literal, TypedDict, TypeGuard

from banlistd.control.commands.manual_bans.rows import (
    EXAMPLE,
    ORDER_SECONDS,
    ExemptionRow,
    ManualBanRow,
    ban_rows,
    exemption_rows,
    ordered_end,
)
from banlistd.control.commands.manual_bans.targets import (
    BAN_ADDRESSES,
    MOST_OCTETS,
    PREFIX6,
    ManyLines,
    OneTarget,
    one_request,
    with_prefix6,
)
from banlistd.control.declaration import Argument, Command, PageContext
from banlistd.control.own_session import AUTO, own_session
from banlistd.control.page import Page, short_duration
from banlistd.core.printing import counted, printable
from banlistd.errors import FirewallError, LedgerError, RefusedError
from banlistd.scopes.names import MOST_BY_HAND, SCOPE_PROTOCOLS

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.scopes.scope import Scope


class BanAnswer(ManualBanRow):
    """`new`: whether this origin had not banned it before, or only until a confirmation. `spared`: the parts that are not
    banned.
    """

    new: bool
    spared: list[ExemptionRow]


class BansAnswer(TypedDict):
    """Of an order about many, in lines. `banned`: bans that are new; `renewed`: those with another end; `kept`: those
    that stay as they are (`keep`). `skipped`: what is never banned. `spared`: parts of bans that are not banned. `confirm_by`:
    those that are new are lifted then unless they are confirmed; null: they need no confirmation.
    """

    origin: str
    confirm_by: float | None
    banned: int
    renewed: int
    kept: int
    skipped: list[ExemptionRow]
    spared: list[ExemptionRow]


def _read(request: "ControlRequest") -> OneTarget | ManyLines:
    from banlistd.core.manual.manual_bans import read_ban

    if isinstance(request.fields.get("address"), list):
        return ManyLines(request.fields, request.uid)
    read_ban(request.fields, request.uid)
    return OneTarget(request.fields, request.uid)


async def _answer_many(parts: "Parts", lines: ManyLines) -> BansAnswer:
    import asyncio

    from banlistd.services.orders.mass_orders import read_mass_ban

    order = await asyncio.to_thread(read_mass_ban, with_prefix6(parts, lines.fields), lines.uid)
    _refuse_scope(parts, order.orders[0].scope)
    done = await parts.banning.carry_out(order)
    return {
        "origin": order.orders[0].origin,
        "confirm_by": done.fresh[0].confirm_by if done.fresh else None,
        "banned": len(done.fresh),
        "renewed": len(done.bans) - len(done.fresh),
        "kept": done.absent,
        "skipped": exemption_rows(done.skipped),
        "spared": exemption_rows(done.exemptions),
    }


async def _answer(parts: "Parts", asked: OneTarget | ManyLines) -> BanAnswer | BansAnswer:
    from banlistd.core.manual.manual_bans import read_ban

    if isinstance(asked, ManyLines):
        return await _answer_many(parts, asked)
    order = read_ban(with_prefix6(parts, asked.fields), asked.uid)
    _refuse_scope(parts, order.scope)
    done = await parts.banning.carry_out(order)
    (ban,) = done.bans
    (row,) = await ban_rows([ban], parts.user_name)
    return {**row, "new": done.is_new, "spared": exemption_rows(done.exemptions)}


def _refuse_scope(parts: "Parts", scope: "Scope | None") -> None:
    if scope is not None and not parts.service.config.backend.kind.capabilities.scopes:
        raise RefusedError(f"{parts.service.config.backend} cannot ban for some packets only", "ban it for all packets")


def _is_many(answer: BanAnswer | BansAnswer) -> TypeGuard[BansAnswer]:
    return "banned" in answer


def _is_one(answer: BanAnswer | BansAnswer) -> TypeGuard[BanAnswer]:
    return "new" in answer


def _judge(answer: BanAnswer | BansAnswer) -> int:
    """As for one that is never banned, where all of many are."""
    if _is_many(answer) and answer["skipped"] and not (answer["banned"] or answer["renewed"] or answer["kept"]):
        return RefusedError.exit_code
    return 0


def _page_of_many(answer: BansAnswer, context: PageContext) -> Page:
    more = [f"; {answer[key]:,} {words}" for key, words in _STILL if answer[key]]
    confirm_by = answer["confirm_by"]
    trial = "" if confirm_by is None else f" for {short_duration(confirm_by - context.now)}, unless you confirm them"
    page = [f"{counted(answer['banned'], 'ban', 'bans')} of {printable(answer['origin'])} made{trial}{''.join(more)}"]
    page += [] if confirm_by is None else ["  banlistctl confirm with the same addresses, or - and the same lines, keeps them"]
    for rows, words in ((answer["skipped"], "never banned"), (answer["spared"], "not banned")):
        page += [f"  {words}: {printable(row['address'])}: {printable(row['reason'])}" for row in rows[:_MOST_ROWS]]
        page += [f"  {words}: {len(rows) - _MOST_ROWS:,} more"] if len(rows) > _MOST_ROWS else []
    return page


_MOST_ROWS = 20  # of what is skipped; --json has all
_STILL: tuple[tuple[Literal["renewed", "kept"], str], ...] = (
    ("renewed", "had been made before, and have the new end"),
    ("kept", "had been made before, and stay as they are"),
)


def _page(answer: BanAnswer | BansAnswer, context: PageContext) -> Page:
    if _is_many(answer):
        return _page_of_many(answer, context)
    if _is_one(answer):
        return _page_of_one(answer, context)
    raise KeyError("new")


def _page_of_one(answer: BanAnswer, context: PageContext) -> Page:
    address, origin = printable(answer["address"]), printable(answer["origin"])
    only = f" ({printable(answer['packets'])})" if answer["packets"] else ""
    before = "" if answer["new"] else f"; {origin} had banned it before"
    spared = [f"  but not {printable(item['address'])}: {printable(item['reason'])}" for item in answer["spared"]]
    expires_at, confirm_by = answer["expires_at"], answer["confirm_by"]
    left = "" if expires_at is None else f" ({short_duration(expires_at - context.now)})"
    end = f"{ordered_end(answer)}{left}"
    if confirm_by is None:
        return [f"{address} is banned {end}{only}{before}", *spared]
    trial = f"{address}{only} is banned for {short_duration(confirm_by - context.now)}, unless you confirm it"
    return [trial, *spared, f"  banlistctl confirm {address} keeps it banned {end}"]


BAN: "Command[OneTarget | ManyLines, BanAnswer | BansAnswer]" = Command(
    name="ban",
    help="ban addresses, CIDR networks or ranges at once",
    details="The manual ban is in effect when the command returns. It takes precedence over every source, and survives restart,"
    " reboot and flush. Each origin bans for itself: an address is banned as long as one origin bans it. A ban of an allowed"
    " or reserved address, or of the host's own addresses, gateways and networks inside, is refused; other protection yields."
    " With --confirm the ban is in effect at once and is lifted when that time is over, also across a crash, a restart and a"
    " reboot, unless it is confirmed; --for counts from the order. What that origin has banned already cannot be tried, so no"
    " earlier ban is lost. `banlistctl unban` ends a trial; an order without --confirm takes its place."
    " Several addresses, or the lines of standard input (-), are one transaction: `ADDRESS [for TIME] [comment]`, # begins a"
    " comment. If a line is wrong nothing is banned; what is never banned is skipped and named."
    " --confirm, --for and --comment hold for every line that does not say otherwise."
    " With --ports, --protocols, --interfaces, --except-interfaces or --connections new only such packets are banned, with"
    f" the backend nftables, in at most {MOST_BY_HAND} different ways; a later order of the origin takes the place of this one."
    " Such a ban yields to every protected address.",
    method="POST",
    example={**EXAMPLE, "new": True, "spared": []},
    arguments=(
        BAN_ADDRESSES,
        Argument("--for", "TIME", "how long: 90s, 15m, 1h, 1d; default: permanently"),
        Argument("--confirm", "TIME", "try it: unless banlistctl confirm ADDRESS follows within 10s to 1h, the ban is lifted"),
        Argument("--origin", "NAME", "in whose name; each origin bans for itself; default: operator"),
        Argument("--comment", "TEXT", "why, for people"),
        PREFIX6,
        Argument("--ports", "PORTS", "only packets to these ports: 22,6000-6010; without --protocols, of TCP and UDP"),
        Argument("--protocols", "NAMES", f"only packets of these protocols: {', '.join(SCOPE_PROTOCOLS)}"),
        Argument("--interfaces", "NAMES", "only packets that come in there"),
        Argument("--except-interfaces", "NAMES", "packets that come in there pass", field="except_interfaces"),
        Argument("--connections", "WHICH", "new: what answers connections of this host passes", choices=("all", "new")),
        Argument("--keep", "", "of many: leave what this origin has banned already as it is", is_flag=True),
        Argument("--force", "", "ban even the address that the own session comes from", is_flag=True),
        Argument(
            "--session",
            "ADDRESS",
            "where the own session comes from; default: as sshd or logind says, with all sessions that the user has",
            kind=own_session,
            default=AUTO,
        ),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={
        64: "it is the address of the own session (--force)",
        65: "it, or each of many, must never be banned, or the origin has too many bans, or has banned it already (--confirm)",
        71: "the firewall did not accept the ban",
    },
    errors=(RefusedError, FirewallError, LedgerError),
    judge=_judge,
    timeout=ORDER_SECONDS,
    requests=one_request,
    max_body=MOST_OCTETS,
)
