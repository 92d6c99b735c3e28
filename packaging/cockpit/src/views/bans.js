/* Manual bans: who, why, until when; to ban and to unban. */

import { actsAsAdministrator, get, operator, originOf, ownAddress, post } from "../daemon.js";
import { code, element, field, label, time, title } from "../elements.js";
import { carryOut, orderButton } from "../notices.js";
import { table } from "../table.js";
import { _, counted, format } from "../text.js";

const PAGE = 1000, MOST = 5000;

/* Of `bans` after the newest MOST the page says only that there are more. */
async function newest() {
    const bans = [];
    for (let after = ""; bans.length < MOST;) {
        const page = await get("/v1/bans", { limit: PAGE, after });
        bans.push(...page);
        if (page.length < PAGE) return bans;
        const last = page[page.length - 1];
        after = `${last.created_at}|${last.address}|${last.origin}`;
    }
    return bans;
}

/* Orders of an administrator come to the daemon as root's: the origin says who it was. */
const origin = () => (actsAsAdministrator() ? { origin: originOf(operator()) } : {});

export async function ban(address, { until = "", comment = "" } = {}) {
    const answer = await post("/v1/ban", {
        address, ...(until ? { for: until } : {}), ...(comment ? { comment } : {}), ...origin(), ...(await ownAddress()),
    });
    const spared = (answer.spared ?? []).map(part => format(_("$0 is not banned: $1"), part.address, part.reason));
    return { tone: spared.length ? "warning" : "success", text: format(_("$0 is banned."), answer.address ?? address), lines: spared };
}

export async function unban(address, of = "") {
    const answer = await post("/v1/unban", { address, ...(of ? { origin: of } : {}) });
    const still = answer.still ? [format(_("The source $0 bans it still."), answer.still)] : [];
    const around = answer.within.map(row => format(_("It is within the manual ban of $0."), row.address));
    return {
        tone: still.length + around.length ? "warning" : "success",
        text: answer.removed.length ? format(_("$0 is no longer banned manually."), answer.address) : format(_("$0 was not banned manually."), answer.address),
        lines: [...still, ...around],
    };
}

export function bans(_words, reload) {
    const address = element("input", { name: "address", required: true, autocomplete: "off", placeholder: "192.0.2.1, 2001:db8::/32" });
    const until = element("input", { name: "for", autocomplete: "off", placeholder: _("1h, 7d; empty: for ever") });
    const comment = element("input", { name: "comment", autocomplete: "off" });
    const submit = element("button", { type: "submit", class: "pf-v6-c-button pf-m-primary" }, element("span", { class: "pf-v6-c-button__text" }, _("Ban")));
    const form = element(
        "form", {
            class: "row", id: "ban", submit: async event => {
                event.preventDefault();
                const went = await carryOut(() => ban(address.value.trim(), { until: until.value.trim(), comment: comment.value.trim() }), submit);
                if (went) form.reset();
                await reload();
            },
        },
        field(_("Address, network or range"), address), field(_("For how long"), until), field(_("Why"), comment), submit);
    const rows = table({
        caption: _("Manual bans"),
        key: row => `${row.address}|${row.origin}`,
        text: row => `${row.address} ${row.origin} ${row.user} ${row.comment}`,
        absent: _("Nothing is banned manually, or no ban has this text."),
        columns: [
            { name: _("Address"), cell: row => code(row.address) },
            { name: _("In force"), cell: row => (row.in_force ? label(_("yes"), "success") : label(_("no"), "warning", row.spared)) },
            { name: _("Since"), cell: row => time(row.created_at) },
            { name: _("Ends"), cell: row => time(row.expires_at, _("never")) },
            { name: _("By"), cell: row => [row.user, row.origin].filter(Boolean).join(", ") },
            { name: _("Why"), cell: row => [row.comment, row.spared].filter(Boolean).join("; ") },
            { name: _("Order"), cell: row => orderButton(_("Unban"), () => unban(row.address, row.origin), reload, { "aria-label": format(_("Unban $0"), row.address) }) },
        ],
    });
    const more = element("p", { class: "quiet", hidden: true }, format(_("The newest $0 are shown."), MOST));
    const count = element("p", { class: "quiet" });
    return {
        element: element("section", {}, element("div", { class: "panel" }, title(_("Ban")), form), element("div", { class: "panel" }, rows.element, count, more)),
        async load() {
            const found = await newest();
            rows.show(found);
            count.textContent = found.length ? counted(found.length, "$0 ban", "$0 bans") : "";
            more.hidden = found.length < MOST;
        },
    };
}
