/* The lists that are known by name: what they are good for, their terms; and a new source of one of them, or of a URL. */

import { command, get } from "../daemon.js";
import { element, field, label, title } from "../elements.js";
import { ask, carryOut, orderButton } from "../notices.js";
import { table } from "../table.js";
import { _, counted, format } from "../text.js";

const ACTIONS = ["drop", "reject", "log", "count", "none"];
const TONES = { alive: "success", deprecated: "warning", dead: "danger" };

async function add(list, action) {
    const answer = await command(["add", "--yes", ...(action ? ["--action", action] : []), "--", list], { change: true });
    const { entries, bans, skipped, protected: spared } = answer.read;
    return {
        text: format(_("$0 is added; its bans come with its first poll."), answer.id),
        lines: [format(_("$0, $1"), counted(entries, "$0 entry", "$0 entries"), counted(bans, "$0 ban", "$0 bans")), skipped,
                ...spared.map(one => format(_("Protected, and not banned: $0"), one))].filter(Boolean),
    };
}

export function catalogue(_words, reload) {
    let present = new Set(), lists = null;
    const url = element("input", { name: "url", type: "url", required: true, autocomplete: "off", placeholder: "https://example.org/list.txt" });
    const action = element("select", { name: "action" }, ACTIONS.map(each => element("option", { value: each }, each)));
    const submit = element("button", { type: "submit", class: "pf-v6-c-button pf-m-primary" }, element("span", { class: "pf-v6-c-button__text" }, _("Add")));

    async function addKnown(row) {
        const isSure = await ask(
            format(_("Add $0?"), row.id),
            [row.comment, format(_("Licence: $0"), row.licence), _("The list is downloaded and read first; nothing is added of one that cannot be read.")], _("Add"));
        return isSure ? add(row.id, "") : null;
    }

    const form = element(
        "form", {
            class: "row", id: "add", submit: async event => {
                event.preventDefault();
                if (await carryOut(() => add(url.value.trim(), action.value), submit)) form.reset();
                await reload();
            },
        },
        field(_("Address of a list (URL)"), url), field(_("What happens to its packets"), action), submit);
    const rows = table({
        caption: _("Catalogue"), key: row => row.id, absent: _("No list has this text."),
        text: row => [row.id, row.comment, row.publisher, row.good_for.join(" "), row.licence].join(" "),
        columns: [
            { name: _("List"), cell: row => element("a", { href: row.home, target: "_blank", rel: "noopener noreferrer" }, row.id) },
            { name: _("What it is"), cell: row => row.comment },
            { name: _("Good for"), cell: row => row.good_for.join(", ") },
            { name: _("Size"), cell: row => row.size },
            { name: _("State"), cell: row => label(row.state, TONES[row.state] ?? "") },
            { name: _("Licence"), cell: row => row.licence },
            { name: _("Business"), cell: row => row.commercial },
            { name: _("Order"), cell: row => (row.isPresent
                ? element("a", { href: `#/list/${encodeURIComponent(row.id)}` }, _("in use"))
                : row.state === "alive" && row.purpose === "ban" &&
                  orderButton(_("Add"), () => addKnown(row), reload, { "aria-label": format(_("Add $0"), row.id) })) },
        ],
    });
    return {
        element: element("section", {}, element("div", { class: "panel" }, title(_("Add a list by its URL")), form), element("div", { class: "panel" }, rows.element)),
        async load() {
            lists ??= await command(["catalogue"]);
            present = new Set((await get("/v1/sources")).map(source => source.id));
            rows.show(lists.map(list => ({ ...list, isPresent: present.has(list.id) })));
        },
    };
}
