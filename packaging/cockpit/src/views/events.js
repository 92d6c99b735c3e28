/* Events as they come, the newest first. */

import { get } from "../daemon.js";
import { element, label, time, title } from "../elements.js";
import { _, counted } from "../text.js";

const MOST = 200;
const TONES = { emerg: "danger", alert: "danger", crit: "danger", err: "danger", error: "danger", warning: "warning", notice: "info" };

const line = event => element(
    "li", { "data-event": event.name },
    time(event.at), label(event.level, TONES[event.level] ?? ""), element("span", {}, event.message), element("span", { class: "quiet" }, event.name));

export function events() {
    const log = element("ol", { class: "log", "aria-label": _("Events") });
    const lost = element("p", { class: "quiet", role: "status" });
    let isLoaded = false;

    function add(newest) {
        log.prepend(...newest.map(line).reverse());
        while (log.childElementCount > MOST) log.lastChild.remove();
    }

    return {
        element: element("section", {}, element("div", { class: "panel" }, title(_("Events")), lost, log)),
        async load() {
            if (isLoaded) return;
            isLoaded = true;
            add((await get("/v1/events", { limit: MOST })).events);
        },
        hear(newest, missed) {
            if (!isLoaded) return;
            if (missed) lost.textContent = counted(missed, "$0 event was lost; the journal has it", "$0 events were lost; the journal has them");
            add(newest);
        },
    };
}
