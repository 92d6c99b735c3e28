/* What an order came to: said above the view, read out by a screen reader, gone with the next one or by its button. */

import { alert, button, element } from "./elements.js";
import { _ } from "./text.js";

export const notices = element("div", { class: "notices", role: "status", "aria-live": "polite" });

export function say(tone, text, lines = []) {
    const shown = alert(tone, text, lines);
    shown.append(button(_("Close"), () => shown.remove(), { kind: "link" }));
    notices.replaceChildren(shown);
}

export function sayFault(fault) {
    say("danger", fault.message, [fault.hint, ...(fault.problems ?? [])].filter(Boolean));
}

/* Carry out `work` of an order, then say what it came to: { tone, text, lines } or a text. `switched` is off meanwhile. */
export async function carryOut(work, switched = null) {
    if (switched) switched.disabled = true;
    try {
        const said = await work();
        if (said) say(said.tone ?? "success", said.text ?? said, said.lines ?? []);
        return true;
    } catch (fault) {
        sayFault(fault);
        return false;
    } finally {
        if (switched) switched.disabled = false;
    }
}

/* A button that gives an order; `after` follows it, also where it failed. */
export function orderButton(text, work, after, options = {}) {
    const made = button(text, async () => {
        await carryOut(work, made);
        await after();
    }, options);
    return made;
}

/* Ask before something that lifts bans or puts unguarded content in force. Escape and Cancel are a no. */
export function ask(question, lines, yes) {
    return new Promise(resolve => {
        const box = element(
            "dialog", { "aria-labelledby": "question", close: () => { box.remove(); resolve(box.returnValue === "yes"); } },
            element("form", {},
                    element("h2", { class: "pf-v6-c-title pf-m-xl", id: "question" }, question),
                    lines.map(line => element("p", {}, line)),
                    element("div", { class: "row" },
                            button(yes, () => box.close("yes"), { kind: "danger" }),
                            button(_("Cancel"), () => box.close("no"), { kind: "link" }))));
        document.body.append(box);
        box.showModal();
    });
}
