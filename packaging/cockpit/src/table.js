/* A table whose rows stay the same elements as long as their data are equal: focus and selection survive each refresh. */

import { arrange, button, element } from "./elements.js";
import { _, counted, format } from "./text.js";

const PAGE = 100;

/* `columns`: of { name, cell(row), right }. `key(row)`: unique among the rows. `text(row)`: what the filter searches; without
 * it there is no filter. `absent`: what is said where there is no row. */
export function table({ caption, columns, key, text = null, absent }) {
    const made = new Map();
    let rows = [], page = 0, wanted = "";
    const body = element("tbody", { class: "pf-v6-c-table__tbody", role: "rowgroup" });
    const none = element("p", { class: "quiet", hidden: true }, absent);
    const count = element("p", { class: "quiet", role: "status" });
    const back = button(_("Previous"), () => turn(-1), { kind: "link" });
    const on = button(_("Next"), () => turn(1), { kind: "link" });
    const pages = element("div", { class: "row", hidden: true }, back, count, on);
    const grid = element(
        "table", { class: "pf-v6-c-table pf-m-grid-md pf-m-compact", role: "table" },
        element("caption", { class: "pf-v6-c-table__caption" }, caption),
        element("thead", { class: "pf-v6-c-table__thead", role: "rowgroup" }, element(
            "tr", { class: "pf-v6-c-table__tr", role: "row" },
            columns.map(column => element("th", { class: `pf-v6-c-table__th${column.right ? " number" : ""}`, scope: "col", role: "columnheader" }, column.name)))),
        body);
    const search = text && element("input", {
        type: "search", placeholder: _("Filter"), "aria-label": format(_("Filter: $0"), caption), autocomplete: "off",
        input: event => { wanted = event.target.value.trim().toLowerCase(); page = 0; draw(); },
    });
    const filter = search && element("span", { class: "pf-v6-c-form-control filter" }, search);

    function turn(by) {
        page += by;
        draw();
    }

    function rowOf(row, seen) {
        const name = key(row), data = JSON.stringify(row), old = made.get(name);
        seen.add(name);
        if (old?.data === data) return old.shown;
        const shown = element("tr", { class: "pf-v6-c-table__tr", role: "row", "data-key": name }, columns.map((column, index) => element(
            index ? "td" : "th",
            { class: `pf-v6-c-table__${index ? "td" : "th"}${column.right ? " number" : ""}`, scope: index ? null : "row",
              role: index ? "cell" : "rowheader", "data-label": column.name },
            column.cell(row))));
        made.set(name, { data, shown });
        return shown;
    }

    function draw() {
        const found = wanted ? rows.filter(row => text(row).toLowerCase().includes(wanted)) : rows;
        const last = Math.max(0, Math.ceil(found.length / PAGE) - 1);
        page = Math.min(Math.max(page, 0), last);
        const seen = new Set();
        arrange(body, found.slice(page * PAGE, (page + 1) * PAGE).map(row => rowOf(row, seen)));
        for (const name of made.keys()) if (!seen.has(name)) made.delete(name);
        none.hidden = found.length > 0;
        grid.hidden = found.length === 0;
        pages.hidden = found.length <= PAGE;
        back.disabled = page === 0;
        on.disabled = page === last;
        count.textContent = format(_("page $0 of $1, $2"), page + 1, last + 1, counted(found.length, "$0 row", "$0 rows"));
    }

    return {
        element: element("div", { class: "table" }, filter, grid, none, pages),
        show(newest) {
            rows = newest;
            draw();
        },
    };
}
