/* One list: its state and value, its import runs, its versions with what differs, and the orders about it. */

import { chart } from "../chart.js";
import { command, get, post } from "../daemon.js";
import { alert, code, element, facts, label, time, title } from "../elements.js";
import { ask, carryOut, orderButton } from "../notices.js";
import { isGood, outcomeText, stateOf } from "../states.js";
import { table } from "../table.js";
import { _, counted, format, moment, number, size } from "../text.js";
import { outcomes } from "./overview.js";

const RUNS = 100, VERSIONS = 100, SHOWN = 100;

const said = rows => ({ tone: rows.every(isGood) ? "success" : "warning", text: rows.map(outcomeText).join("; ") });

function orders(row, reload) {
    const one = { sources: [row.id] };
    const ended = verb => async () => {
        const [answer] = await post(`/v1/${verb}`, one);
        return answer.outcome ? said([answer.outcome]) : format(_("$0: done"), row.id);
    };
    const begun = verb => async () => { await post(`/v1/${verb}`, one); return format(_("$0: done"), row.id); };
    const disable = async () => {
        const isSure = await ask(format(_("Disable $0?"), row.id), [_("Its bans are lifted. Its history stays.")], _("Disable"));
        if (!isSure) return null;
        await command(["disable", "--", row.id], { change: true });
        return format(_("$0 is disabled."), row.id);
    };
    const enable = async () => {
        await command(["enable", "--", row.id], { change: true });
        return format(_("$0 is enabled."), row.id);
    };
    if (!row.enabled) return [orderButton(_("Enable"), enable, reload, { kind: "primary" })];
    return [
        orderButton(_("Refresh"), async () => outcomes(await post("/v1/refresh", one)), reload, { kind: "primary" }),
        row.suspended.includes("paused") ? orderButton(_("Resume"), ended("resume"), reload) : orderButton(_("Pause"), begun("pause"), reload),
        row.suspended.includes("pinned") ? orderButton(_("Unpin"), ended("unpin"), reload) : orderButton(_("Pin"), begun("pin"), reload),
        orderButton(_("Disable"), disable, reload),
    ];
}

function entriesOf(heading, count, entries) {
    return element(
        "div", {}, element("strong", {}, format(_("$0: $1"), heading, number(count))),
        element("ul", { tabindex: "0", "aria-label": heading }, entries.map(entry => element("li", {}, code(entry)))),
        count > entries.length && element("p", { class: "quiet" }, format(_("and $0 more"), number(count - entries.length))));
}

export function list(words, reload) {
    const id = words[0] ?? "";
    const head = element("div", { class: "panel" }), doing = element("div", { class: "row" }), difference = element("div", { "aria-live": "polite" });
    const worth = element("div", { class: "panel", hidden: true }), drawn = chart(format(_("Entries of $0 over time"), id));

    async function showDifference(version) {
        await carryOut(async () => {
            const answer = await get("/v1/diff", { source: id, to: version.run, limit: SHOWN });
            difference.replaceChildren(element(
                "div", { class: "panel", "data-diff": version.run },
                title(format(_("What run $0 changed since run $1"), answer.newer.run, answer.older.run)),
                element("div", { class: "entries" }, entriesOf(_("Came"), answer.added, answer.added_entries), entriesOf(_("Went"), answer.removed, answer.removed_entries))));
        });
    }

    async function rollBack(version) {
        const isSure = await ask(
            format(_("Roll $0 back to run $1?"), id, version.run),
            [format(_("It had $0 then, since $1."), counted(version.entries, "$0 entry", "$0 entries"), moment(version.came_at)),
             _("No guard is asked. The list is pinned to this content, and is not polled until it is unpinned.")], _("Roll back"));
        return isSure ? said([(await post("/v1/rollback", { sources: [id], to: String(version.run) })).outcome]) : null;
    }

    const versions = table({
        caption: _("Versions that are kept"), key: row => String(row.run), absent: _("No version is kept yet."),
        columns: [
            { name: _("Import run"), cell: row => String(row.run) },
            { name: _("Came"), cell: row => time(row.came_at) },
            { name: _("Left"), cell: row => (row.left_at === null ? label(_("in force"), "success") : time(row.left_at)) },
            { name: _("Entries"), right: true, cell: row => number(row.entries) },
            { name: _("Content"), cell: row => code(row.content_hash.slice(0, 12)) },
            { name: _("Order"), cell: row => element(
                "div", { class: "row" },
                !row.isOldest && orderButton(_("Changes"), () => showDifference(row), async () => {}, { kind: "link", "aria-label": format(_("Changes of run $0"), row.run) }),
                row.left_at !== null && orderButton(_("Roll back"), () => rollBack(row), reload, { "aria-label": format(_("Roll back to run $0"), row.run) })) },
        ],
    });
    const runs = table({
        caption: _("Import runs"), key: row => String(row.id), text: row => `${row.state} ${row.error} ${row.guard ?? ""}`, absent: _("Nothing was imported yet, or no run has this text."),
        columns: [
            { name: _("Run"), cell: row => String(row.id) },
            { name: _("Started"), cell: row => time(row.started_at) },
            { name: _("State"), cell: row => (row.guard ? label(_("refused"), "warning", row.guard) : label(row.state, { completed: "success", failed: "danger" }[row.state] ?? "info")) },
            { name: _("Entries"), right: true, cell: row => number(row.entries) },
            { name: _("Came"), right: true, cell: row => number(row.added) },
            { name: _("Went"), right: true, cell: row => number(row.removed) },
            { name: _("Rejected lines"), right: true, cell: row => number(row.rejected) },
            { name: _("Error"), cell: row => row.error },
        ],
    });

    function show(row, timer) {
        const state = stateOf(row);
        head.replaceChildren(
            title(row.id), element("p", {}, label(state.text, state.tone), " ", state.why),
            facts([
                [_("Entries"), number(row.entries)], [_("Bans"), number(row.owned)], [_("Packets"), number(row.packets)], [_("Octets"), size(row.octets)],
                [_("Last poll"), time(row.polled_at, _("never"))], [_("Next poll"), row.enabled && !row.suspended.length ? time(row.due_at, _("at once")) : _("never")],
                [_("Polled every"), timer?.schedule ?? ""], [_("Last change"), time(row.changed_at, _("never"))], [_("Action"), row.action], [_("Direction"), row.direction],
                [_("Made of"), row.combination], [_("Extent"), row.extent], [_("Quarantine"), row.quarantined && element("a", { href: "#/quarantine" }, row.quarantined)],
                [_("Error"), row.error],
            ]));
        if (row.oddities.length) head.append(alert("warning", _("The list is odd"), row.oddities.map(one => one.message)));
        if (row.skipped.length) {
            head.append(element("details", {}, element("summary", {}, _("Lines that were skipped")),
                                element("ul", {}, row.skipped.map(one => element("li", {}, format(_("line $0: "), one.line), code(one.text), ` ${one.reason}`)))));
        }
        // The focus stays where the orders are the same.
        const kind = JSON.stringify([row.enabled, row.suspended]);
        if (doing.dataset.kind !== kind) doing.replaceChildren(...orders(row, reload));
        doing.dataset.kind = kind;
    }

    async function showWorth(row) {
        if (!row.enabled || row.state !== "completed") return;
        const [value] = (await get("/v1/report", { ids: id })).lists;
        worth.hidden = !value;
        if (!value) return;
        const overlap = Object.entries(value.overlap).sort((one, other) => other[1] - one[1]).slice(0, 5).map(([other, count]) => `${other}: ${number(count)}`);
        worth.replaceChildren(
            title(_("What it is worth")),
            facts([
                [_("Entries on no other list"), format(_("$0 of $1"), number(value.unique), number(value.entries))], [_("Also on"), overlap.join(", ")],
                [_("Packets for each 1,000 entries"), value.hits_per_1000 === null ? "" : number(Math.round(value.hits_per_1000))],
                [_("Candidates for false positives"), value.candidates || ""],
            ]),
            value.met.length > 0 && element("ul", {}, value.met.map(one => element("li", {}, code(one.entry), ` ${one.met}: ${one.address} ${one.reason}`))) || "");
    }

    let measured = "";
    return {
        element: element(
            "section", {}, element("p", {}, element("a", { href: "#/overview" }, _("All sources"))), head, doing,
            element("div", { class: "panel" }, drawn.element), worth, difference,
            element("div", { class: "panel" }, versions.element), element("div", { class: "panel" }, runs.element)),
        async load() {
            const [[row], timers, kept, imported] = await Promise.all([
                get("/v1/sources", { source: id }), get("/v1/timers"), get("/v1/versions", { source: id, limit: VERSIONS }), get("/v1/history", { source: id, limit: RUNS }),
            ]);
            show(row, timers.find(timer => timer.id === id));
            versions.show(kept.map((version, index) => ({ ...version, isOldest: index === kept.length - 1 })));
            runs.show(imported);
            drawn.show(kept.map(version => [version.came_at, version.entries]).reverse());
            const newest = kept[0]?.content_hash ?? "";
            if (newest !== measured) await showWorth(row);
            measured = newest;
        },
        redraw: drawn.redraw,
        close: drawn.close,
    };
}
