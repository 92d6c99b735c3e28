/* What is never banned: the allowlist, and what is protected so that this host is not locked out. */

import { get, post } from "../daemon.js";
import { code, element, field, label, time, title } from "../elements.js";
import { carryOut, orderButton } from "../notices.js";
import { table } from "../table.js";
import { _, format } from "../text.js";

export function allowed(_words, reload) {
    const address = element("input", { name: "address", required: true, autocomplete: "off", placeholder: "192.0.2.1, 192.0.2.0/24" });
    const until = element("input", { name: "for", autocomplete: "off", placeholder: _("1h, 7d; empty: for ever") });
    const comment = element("input", { name: "comment", autocomplete: "off" });
    const submit = element("button", { type: "submit", class: "pf-v6-c-button pf-m-primary" }, element("span", { class: "pf-v6-c-button__text" }, _("Allow")));

    async function allow() {
        const given = Object.fromEntries(Object.entries({ for: until.value.trim(), comment: comment.value.trim() }).filter(([, value]) => value));
        const answer = await post("/v1/allow", { address: address.value.trim(), ...given });
        return { text: format(_("$0 is allowed."), answer.address), lines: answer.carved.map(id => format(_("The source $0 lists some of it, and does not ban that now."), id)) };
    }

    async function disallow(row) {
        await post("/v1/disallow", { address: row.address });
        return format(_("$0 is no longer allowed by command."), row.address);
    }

    async function forget(row) {
        const answer = await post("/v1/protected/forget", { address: row.address });
        return answer.still
            ? { tone: "warning", text: format(_("$0 is protected all the same: $1"), row.address, answer.still) }
            : format(_("$0 is no longer protected."), row.address);
    }

    const form = element(
        "form", {
            class: "row", id: "allow", submit: async event => {
                event.preventDefault();
                if (await carryOut(allow, submit)) form.reset();
                await reload();
            },
        },
        field(_("Address, network or range"), address), field(_("For how long"), until), field(_("Why"), comment), submit);
    const allowlist = table({
        caption: _("Allowlist"), key: row => `${row.address}|${row.origin}|${row.use}`, text: row => `${row.address} ${row.comment} ${row.use}`,
        absent: _("Nothing is allowed, or no entry has this text."),
        columns: [
            { name: _("Address"), cell: row => code(row.address) },
            { name: _("By"), cell: row => [row.origin, row.user, row.use].filter(Boolean).join(", ") },
            { name: _("Why"), cell: row => row.comment },
            { name: _("Since"), cell: row => time(row.since) },
            { name: _("Until"), cell: row => time(row.until, _("for ever")) },
            { name: _("Order"), cell: row => row.origin === "command" &&
                orderButton(_("Disallow"), () => disallow(row), reload, { "aria-label": format(_("Disallow $0"), row.address) }) },
        ],
    });
    const shielded = table({
        caption: _("Protected"), key: row => `${row.address}|${row.reason}|${row.scope}`, text: row => `${row.address} ${row.reason}`,
        absent: _("Nothing is protected, or no address has this text."),
        columns: [
            { name: _("Address"), cell: row => code(row.address) },
            { name: _("Why"), cell: row => row.reason },
            { name: _("What passes"), cell: row => row.scope },
            { name: _("Until"), cell: row => time(row.until, _("as long as the reason")) },
            { name: _("Listed by"), cell: row => row.sources.join(", ") },
            { name: _("Effect"), cell: row => (row.banned ? label(_("banned manually"), "danger") : row.carved && label(_("would be banned"), "info")) },
            { name: _("Order"), cell: row => row.reason === "earlier remote session" &&
                orderButton(_("Forget"), () => forget(row), reload, { "aria-label": format(_("Forget $0"), row.address) }) },
        ],
    });
    return {
        element: element(
            "section", {}, element("div", { class: "panel" }, title(_("Allow")), form),
            element("div", { class: "panel" }, allowlist.element), element("div", { class: "panel" }, shielded.element)),
        async load() {
            const [entries, addresses] = await Promise.all([get("/v1/allowed"), get("/v1/protected")]);
            allowlist.show(entries);
            shielded.show(addresses);
        },
    };
}
