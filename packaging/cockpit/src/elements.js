/* Elements of the page. Data becomes text nodes and attributes that are named here; no text is ever parsed as HTML. */

import { moment, relative } from "./text.js";

const ATTRIBUTES = /^(?:class|id|type|name|value|for|role|scope|colspan|placeholder|autocomplete|inputmode|required|disabled|hidden|tabindex|datetime|title|lang|open|selected|checked|rel|target|(?:aria|data)-[a-z-]+)$/;
/* A link of ours, or one to a publisher's page; javascript: and data: become no link. */
const LINK = /^(?:#\/|https?:\/\/)/;

/* element("button", { type: "button", click: handler }, "Ban"): a function becomes a listener, null and false are left out. */
export function element(tag, properties = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value === null || value === undefined || value === false) continue;
        if (typeof value === "function") made.addEventListener(name, value);
        else if (name === "href" ? LINK.test(value) : ATTRIBUTES.test(name)) made.setAttribute(name, value === true ? "" : String(value));
        else if (name !== "href") throw new Error(`element: no such attribute: ${name}`);
    }
    made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false).map(asNode));
    return made;
}

const asNode = child => (child instanceof Node ? child : document.createTextNode(String(child)));

/* A moment as its distance from now; the exact one is its title. `null` is `absent`. */
export function time(at, absent = "") {
    if (at === null || at === undefined) return document.createTextNode(absent);
    const made = element("time", { datetime: new Date(at * 1000).toISOString(), title: moment(at), "data-at": at });
    made.textContent = relative(at, Date.now() / 1000);
    return made;
}

/* What is shown of moments follows the clock. */
export function tick(root) {
    const now = Date.now() / 1000;
    for (const each of root.querySelectorAll("time[data-at]")) {
        const text = relative(Number(each.dataset.at), now);
        if (each.textContent !== text) each.textContent = text;
    }
}

export function button(text, onClick, { kind = "secondary", ...properties } = {}) {
    return element("button", { type: "button", class: `pf-v6-c-button pf-m-${kind}`, click: onClick, ...properties },
                   element("span", { class: "pf-v6-c-button__text" }, text));
}

export const title = (text, level = 2) =>
    element(`h${level}`, { class: `pf-v6-c-title pf-m-${level === 1 ? "2xl" : "xl"}` }, text);

/* `tone`: success, warning, danger, info or empty. */
export function label(text, tone = "", explanation = "") {
    return element("span", { class: `pf-v6-c-label pf-m-compact${tone ? ` pf-m-${tone}` : ""}`, title: explanation || null },
                   element("span", { class: "pf-v6-c-label__content" }, element("span", { class: "pf-v6-c-label__text" }, text)));
}

/* `lines`: each is text, or a list of nodes. */
export function alert(tone, heading, lines = [], properties = {}) {
    return element("div", { class: `pf-v6-c-alert pf-m-inline pf-m-${tone}`, ...properties },
                   element("p", { class: "pf-v6-c-alert__title" }, heading),
                   lines.length > 0 && element("div", { class: "pf-v6-c-alert__description" }, lines.map(line => element("p", {}, line))));
}

/* A field with its label. `input`: an input or select; it gets the id that the label names. */
export function field(text, input) {
    input.id ||= `field-${input.name}`;
    return element("div", { class: "field" },
                   element("label", { for: input.id }, text),
                   element("span", { class: "pf-v6-c-form-control" }, input));
}

/* `pairs`: of a term and what it is; one without a value is left out. */
export function facts(pairs) {
    const shown = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined);
    return element("dl", { class: "facts" },
                   shown.map(([term, value]) => element("div", {}, element("dt", {}, term), element("dd", {}, value))));
}

export const code = text => element("code", {}, text);

/* Keeps what is in `place` where it is equal, so that the focus stays. */
export function arrange(place, nodes) {
    nodes.forEach((node, index) => {
        if (place.childNodes[index] !== node) place.insertBefore(node, place.childNodes[index] ?? null);
    });
    while (place.childNodes.length > nodes.length) place.lastChild.remove();
}
