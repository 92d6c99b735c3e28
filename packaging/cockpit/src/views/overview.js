/* The verdict, what it rests on, and every source. */

import { chart } from "../chart.js";
import { get, post } from "../daemon.js";
import { alert, button, element, facts, label, time, title } from "../elements.js";
import { orderButton } from "../notices.js";
import { entriesOverTime, isGood, outcomeText, ratesOf, stateOf, toneOfVerdict } from "../states.js";
import { table } from "../table.js";
import { _, counted, format, number } from "../text.js";

export const outcomes = rows => ({
    tone: rows.every(isGood) ? "success" : "warning",
    text: counted(rows.length, "$0 source polled", "$0 sources polled"),
    lines: rows.filter(row => rows.length === 1 || row.outcome !== "skipped").slice(0, 20).map(outcomeText),
});

const RUNS = 1000, SAMPLES = 1000, BETWEEN_SAMPLES = 5;

/* Packets that bans stopped, as long as the page is open: the daemon keeps no history of them. */
const samples = [];

function sample(rows) {
    const now = Date.now() / 1000;
    if (samples.length && now - samples[samples.length - 1][0] < BETWEEN_SAMPLES) return;
    samples.push([now, rows.reduce((sum, row) => sum + (row.packets ?? 0), 0)]);
    if (samples.length > SAMPLES) samples.shift();
}

export function overview(_words, reload) {
    const verdict = element("div", {}), numbers = element("div", {});
    const entries = chart(_("Entries of all lists over time")), packets = chart(_("Packets stopped each second, since this page was opened"));
    const sources = table({
        caption: _("Sources"),
        key: row => row.id,
        text: row => `${row.id} ${stateOf(row).text}`,
        absent: _("No source is configured, or none has this text."),
        columns: [
            { name: _("Source"), cell: row => element("a", { href: `#/list/${encodeURIComponent(row.id)}` }, row.id) },
            { name: _("State"), cell: row => { const state = stateOf(row); return label(state.text, state.tone, state.why); } },
            { name: _("Entries"), right: true, cell: row => number(row.entries) },
            { name: _("Bans"), right: true, cell: row => number(row.owned) },
            { name: _("Packets"), right: true, cell: row => number(row.packets) },
            { name: _("Last poll"), cell: row => time(row.polled_at, _("never")) },
            { name: _("Next poll"), cell: row => (row.enabled && !row.suspended.length ? time(row.due_at, _("at once")) : "") },
            { name: _("Action"), cell: row => row.action },
        ],
    });

    function show(status, health) {
        const reasons = health.reasons.map(reason => [reason.message, reason.hint && ` (${reason.hint})`]);
        verdict.replaceChildren(alert(
            toneOfVerdict(health.verdict), format(_("$0: $1"), health.verdict, meaning(health.verdict)), reasons,
            { "data-verdict": health.verdict }));
        const odd = Object.entries(status.odd).filter(([, count]) => count > 0).map(([kind, count]) => `${kind}: ${count}`);
        numbers.replaceChildren(facts([
            [_("Bans"), number(status.bans)],
            [_("Sources"), format(_("$0 of $1 enabled"), status.enabled, status.sources)],
            [_("Failing"), status.failing || ""],
            [_("In quarantine"), status.quarantined ? element("a", { href: "#/quarantine" }, String(status.quarantined)) : ""],
            [_("Stale"), status.stale || ""],
            [_("Odd"), odd.join(", ")],
            [_("Paused or pinned"), status.suspended.length || ""],
            [_("Database"), status.ledger_fault],
            [_("Next poll"), time(health.next_poll, _("at once, or none"))],
            [_("Last change"), time(status.last_change, _("never"))],
            [_("Running since"), time(status.since)],
            [_("Backend"), status.backend],
            [_("Version"), status.version],
        ]));
    }

    return {
        element: element(
            "section", {}, verdict,
            element("div", { class: "panel" }, title(_("State")), numbers),
            element("div", { class: "row" },
                    orderButton(_("Refresh all"), async () => outcomes(await post("/v1/refresh")), reload, { kind: "primary" }),
                    button(_("Look up an address"), () => cockpit.location.go(["lookup"]))),
            element("div", { class: "panel" }, sources.element),
            element("div", { class: "panel" }, entries.element),
            element("div", { class: "panel" }, packets.element)),
        async load() {
            const [status, health, rows, runs] = await Promise.all([
                get("/v1/status"), get("/v1/health"), get("/v1/sources"), get("/v1/history", { limit: RUNS }),
            ]);
            show(status, health);
            sources.show(rows);
            entries.show(entriesOverTime(runs));
            sample(rows);
            packets.show(ratesOf(samples));
        },
        redraw() {
            entries.redraw();
            packets.redraw();
        },
        close() {
            entries.close();
            packets.close();
        },
    };
}

const meaning = verdict => ({
    PROTECTED: _("every ban takes effect"),
    DEGRADED: _("not all is covered, or not all is known"),
    OPEN: _("bans take no effect"),
})[verdict] ?? "";
