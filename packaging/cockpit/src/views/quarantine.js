/* Lists that a guard refused: what would come and go, and the approval of exactly the content that is shown. */

import { get, post } from "../daemon.js";
import { arrange, code, element, facts, label, time, title } from "../elements.js";
import { ask, orderButton } from "../notices.js";
import { isGood, outcomeText } from "../states.js";
import { _, counted, duration, format, number } from "../text.js";

const sample = (heading, entries, count) => element(
    "div", {}, element("strong", {}, heading),
    element("ul", { tabindex: "0", "aria-label": heading }, entries.map(entry => element("li", {}, code(entry)))),
    count > entries.length && element("p", { class: "quiet" }, format(_("and $0 more"), number(count - entries.length))));

async function approve(row) {
    if (!row.is_list) {
        const isSure = await ask(
            format(_("Approve what is no list, of $0?"), row.id),
            [_("It is a web page, an error message or an empty list. What the source bans now may be lifted.")], _("Approve all the same"));
        if (!isSure) return null;
    }
    // The hash names the content that is shown: what has changed meanwhile is not approved.
    const answer = await post("/v1/approve", { sources: [row.id], hash: row.content_hash, ...(row.is_list ? {} : { force: true }) });
    return { tone: answer.every(isGood) ? "success" : "warning", text: answer.map(outcomeText).join("; ") };
}

function shown(row, reload) {
    return element(
        "article", { class: "panel", "data-key": row.id },
        title(row.id),
        element("p", {}, label(row.guard, "warning"), " ", row.reason),
        facts([
            [_("From"), row.place],
            [_("Since"), time(row.since)],
            [_("Refused"), counted(row.refusals, "$0 time", "$0 times")],
            [_("Unchanged for"), duration(row.stood)],
            [_("Accepted by itself"), row.settle === null ? _("never") : format(_("after $0 unchanged"), duration(row.settle))],
            [_("Entries"), row.entries_before === null ? number(row.entries) : format(_("$0, before $1"), number(row.entries), number(row.entries_before))],
            [_("Content"), code(row.content_hash.slice(0, 12))],
        ]),
        element("div", { class: "entries" },
                sample(format(_("Would come: $0"), number(row.added)), row.added_sample, row.added),
                sample(format(_("Would go: $0"), number(row.removed)), row.removed_sample, row.removed)),
        element("div", { class: "row" }, row.approved
            ? label(_("approved, not yet in force"), "info")
            : orderButton(_("Approve"), () => approve(row), reload, { kind: "primary", "aria-label": format(_("Approve $0"), row.id) })));
}

export function quarantine(_words, reload) {
    const place = element("section", {}), none = element("p", { class: "quiet", hidden: true }, _("No list is in quarantine."));
    const made = new Map();
    return {
        element: element("section", {}, none, place),
        async load() {
            const rows = await get("/v1/quarantine");
            none.hidden = rows.length > 0;
            arrange(place, rows.map(row => {
                // Only its clocks go on.
                const data = JSON.stringify({ ...row, stood: 0, last_seen: 0, refusals: 0 });
                if (made.get(row.id)?.data !== data) made.set(row.id, { data, element: shown(row, reload) });
                return made.get(row.id).element;
            }));
        },
    };
}
