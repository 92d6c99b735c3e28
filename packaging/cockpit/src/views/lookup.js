/* Whether an address is banned, by what and since when; and which list had it at a moment. */

import { get } from "../daemon.js";
import { alert, code, element, facts, field, label, time, title } from "../elements.js";
import { carryOut, orderButton } from "../notices.js";
import { table } from "../table.js";
import { _, counted, format, number } from "../text.js";
import { ban, unban } from "./bans.js";

const listLink = id => (id === "manual" ? element("a", { href: "#/bans" }, _("manual")) : element("a", { href: `#/list/${encodeURIComponent(id)}` }, id));

function originOf({ country, country_name: name, asn, organisation }) {
    return facts([
        [_("Country"), [name, country && `(${country})`].filter(Boolean).join(" ")],
        [_("Network"), [asn && `AS${asn}`, organisation].filter(Boolean).join(" ")],
    ]);
}

function ofAddress(answer, again) {
    const said = [];
    if (answer.protected) said.push(format(_("No source bans it: $0"), answer.protected));
    if (answer.answers) said.push(format(_("What passes all the same: $0"), answer.answers));
    if (answer.reserved) said.push(_("It is reserved, and never banned."));
    for (const row of answer.allowed_by) said.push(format(_("Allowed by $0: $1 $2"), row.origin, row.address, row.comment));
    const heading = answer.banned
        ? format(_("$0 is banned by $1 ($2)"), answer.address, answer.owner ?? "", answer.action ?? "")
        : format(_("$0 is not banned"), answer.address);
    const sources = table({
        caption: _("Sources that list it"), key: row => `${row.id}|${row.entry}`, absent: _("No source lists it."),
        columns: [
            { name: _("Source"), cell: row => listLink(row.id) },
            { name: _("Entry"), cell: row => code(row.entry) },
            { name: _("Since"), cell: row => (row.exact ? time(row.since) : element("span", {}, _("before "), time(row.since, _("not known")))) },
            { name: _("Action"), cell: row => row.action },
            { name: _("Why"), cell: row => (row.bans ?? []).map(each => each.comment).concat(row.parts ?? []).filter(Boolean).join(", ") },
        ],
    });
    sources.show(answer.sources);
    const isManual = answer.sources.some(row => row.id === "manual");
    return element(
        "div", { class: "panel" },
        alert(answer.banned ? "danger" : "success", heading, said, { "data-banned": String(answer.banned) }),
        originOf(answer.origin), sources.element,
        element("div", { class: "row" }, isManual
            ? orderButton(_("Unban"), () => unban(answer.address), again)
            : orderButton(_("Ban for a day"), () => ban(answer.address, { until: "1d" }), again)));
}

function ofNetwork(answer) {
    const sources = table({
        caption: _("Sources that list any of it"), key: row => row.id, absent: _("No source lists any of it."),
        columns: [
            { name: _("Source"), cell: row => listLink(row.id) },
            { name: _("Addresses"), right: true, cell: row => number(row.addresses) },
        ],
    });
    sources.show(answer.sources);
    return element(
        "div", { class: "panel" },
        alert(answer.banned ? "danger" : "info", format(_("$0: $1 of $2 addresses are banned"), answer.address, number(answer.banned_addresses), number(answer.addresses)),
              answer.exempt.map(row => format(_("$0 is not banned: $1"), row.address, row.reason)), { "data-banned": String(answer.banned) }),
        sources.element);
}

function ofPast(answer) {
    const periods = table({
        caption: _("When lists had it"), key: row => `${row.id}|${row.run}|${row.entry}`, absent: _("No list had it, as far as history is kept."),
        columns: [
            { name: _("Source"), cell: row => listLink(row.id) },
            { name: _("Entry"), cell: row => code(row.entry) },
            { name: _("Since"), cell: row => (row.exact ? time(row.since) : element("span", {}, _("before "), time(row.since))) },
            { name: _("Until"), cell: row => time(row.until, _("now")) },
            { name: _("Import run"), right: true, cell: row => row.run },
        ],
    });
    periods.show(answer.periods);
    const when = answer.at === null ? _("in the past") : _("then");
    // Of all times, `listed` says what is so now.
    const had = answer.at === null ? answer.periods.length > 0 : answer.listed;
    return element(
        "div", { class: "panel" },
        alert("info", had ? format(_("$0 was listed $1"), answer.address, when) : format(_("$0 was not listed $1"), answer.address, when), [], { "data-listed": String(had) }),
        periods.element);
}

function shown(answer, again) {
    if ("periods" in answer) return [ofPast(answer)];
    if ("banned_addresses" in answer) return [ofNetwork(answer)];
    if ("name" in answer) {
        return [element("p", {}, format(_("$0 has $1"), answer.name, counted(answer.addresses.length, "$0 address", "$0 addresses"))),
                ...answer.addresses.map(each => ofAddress(each, again))];
    }
    return [ofAddress(answer, again)];
}

/* The value of an input of type datetime-local, in the browser's time zone, as a moment for the daemon. */
const asMoment = value => (value ? `@${Math.floor(new Date(value).getTime() / 1000)}` : "");

export function lookup(words) {
    const address = element("input", { name: "address", required: true, autocomplete: "off", value: words[0] ?? "", placeholder: "192.0.2.1, 192.0.2.0/24, example.org" });
    const at = element("input", { name: "at", type: "datetime-local" });
    const past = element("input", { name: "history", id: "field-history", type: "checkbox" });
    const place = element("div", { "aria-live": "polite" });
    const submit = element("button", { type: "submit", class: "pf-v6-c-button pf-m-primary" }, element("span", { class: "pf-v6-c-button__text" }, _("Look up")));

    async function look() {
        const asked = { address: address.value.trim() };
        if (at.value) asked.at = asMoment(at.value);
        else if (past.checked) asked.history = "true";
        await carryOut(async () => { place.replaceChildren(...shown(await get("/v1/check", asked), look)); }, submit);
    }

    const form = element(
        "form", { class: "row", id: "lookup", submit: event => { event.preventDefault(); place.replaceChildren(); look(); } },
        field(_("Address, network, range or host name"), address), field(_("At a time (empty: now)"), at),
        element("div", { class: "row" }, past, element("label", { for: "field-history" }, _("All times"))), submit);
    let isFirst = true;
    return {
        element: element("section", {}, element("div", { class: "panel" }, title(_("Look up")), form), place),
        async load() {
            if (isFirst && words[0]) await look();
            isFirst = false;
        },
    };
}
