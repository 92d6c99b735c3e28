/* The page: its views, the notices above them, and the events that renew them. */

import { begin, operator } from "./daemon.js";
import { alert, element, tick, title } from "./elements.js";
import { notices } from "./notices.js";
import { follow } from "./stream.js";
import { _ } from "./text.js";
import { followTheme } from "./theme.js";
import { allowed } from "./views/allowed.js";
import { bans } from "./views/bans.js";
import { catalogue } from "./views/catalogue.js";
import { events } from "./views/events.js";
import { list } from "./views/list.js";
import { lookup } from "./views/lookup.js";
import { overview } from "./views/overview.js";
import { quarantine } from "./views/quarantine.js";

const EVERY = 30_000, AFTER_EVENT = 300, TICK = 5000;

/* A view is made by its function from the words after its name in the address: { element, load, hear, redraw }. `load` gets
 * what is shown from the daemon; `hear` is given events, `redraw` follows a change of colours; both are optional. */
const VIEWS = {
    overview: { name: _("Overview"), make: overview },
    list: { name: _("List"), make: list, within: "overview" },
    bans: { name: _("Manual bans"), make: bans },
    lookup: { name: _("Look up"), make: lookup },
    quarantine: { name: _("Quarantine"), make: quarantine },
    allowed: { name: _("Allowed"), make: allowed },
    events: { name: _("Events"), make: events },
    catalogue: { name: _("Catalogue"), make: catalogue },
};

const here = element("p", { class: "quiet", role: "status" });
const problem = element("div", { role: "alert" });
const links = element("ul", {});
let view = null, soon = null;

function open() {
    const [name, ...words] = cockpit.location.path;
    const known = VIEWS[name] ? name : "overview";
    for (const link of links.querySelectorAll("a")) {
        if (link.dataset.view === (VIEWS[known].within ?? known)) link.setAttribute("aria-current", "page");
        else link.removeAttribute("aria-current");
    }
    view?.close?.();
    view = VIEWS[known].make(words, load);
    document.getElementById("main").replaceChildren(view.element);
    load();
}

/* One load of a view at a time; what is asked for meanwhile is done after it, once. */
async function load() {
    const shown = view;
    if (shown.isLoading) {
        shown.isWanted = true;
        return;
    }
    shown.isLoading = true;
    try {
        await shown.load();
        if (shown !== view) return;
        problem.replaceChildren();
        document.body.dataset.loaded = "yes";
    } catch (fault) {
        if (shown !== view) return;
        document.body.dataset.fault = fault.kind ?? "page";
        problem.replaceChildren(alert("danger", fault.message, [fault.hint].filter(Boolean)));
        if (!fault.kind) throw fault;
    } finally {
        shown.isLoading = false;
        if (shown.isWanted && shown === view) {
            shown.isWanted = false;
            load();
        }
    }
}

function hear(events, lost) {
    view?.hear?.(events, lost);
    clearTimeout(soon);
    soon = setTimeout(load, AFTER_EVENT);
}

function state(isConnected) {
    here.textContent = isConnected ? "" : _("No connection to banlistd; what is shown may be old. The page connects again by itself.");
    document.body.dataset.connected = isConnected ? "yes" : "no";
    if (isConnected) load();
}

async function start() {
    cockpit.translate();
    for (const [name, { name: text, within }] of Object.entries(VIEWS)) {
        if (!within) links.append(element("li", {}, element("a", { href: `#/${name}`, "data-view": name }, text)));
    }
    document.title = _("Blocklists");
    document.getElementById("head").append(
        title(_("Blocklists"), 1), element("nav", { "aria-label": _("Views") }, links), here, problem, notices);
    followTheme(() => view?.redraw?.());
    await begin();
    document.body.dataset.operator = operator();
    cockpit.addEventListener("locationchanged", () => { notices.replaceChildren(); open(); });
    open();
    follow(hear, state);
    setInterval(load, EVERY);
    setInterval(() => tick(document.body), TICK);
}

start();
