/* The control socket of banlistd, through Cockpit: an HTTP request of its own each. */

import { _, format } from "./text.js";

const SOCKET = "/run/banlistd/control.sock";

/* What went wrong. `kind`: "denied" (the socket's mode), "absent" (no daemon), or the daemon's own class of the error. */
export class Fault extends Error {
    constructor(kind, message, hint = "", problems = []) {
        super(message);
        Object.assign(this, { kind, hint, problems });
    }
}

/* Cockpit 287 calls a forbidden socket access-denied; 337 says not-found, as of one that is missing, with the errno in the text. */
export function faultOf(problem, body, user) {
    const text = String(problem?.message ?? problem ?? "");
    const code = problem?.problem ?? "";
    if (code === "access-denied" || /Errno 13|permission denied/i.test(text)) {
        return new Fault(
            "denied", format(_("You ($0) may not use banlistd on this machine."), user),
            format(_("Switch to administrative access at the top of the page, or let an administrator run: adduser $0 banlistd - and log in again."), user));
    }
    if (code === "not-found" || /Errno (?:2|111)\b|connection refused|no such file/i.test(text)) {
        return new Fault("absent", _("banlistd does not answer."), _("Look at it with: systemctl status banlistd"));
    }
    if (code) return new Fault(code, format(_("banlistd does not answer: $0"), text), _("The page tries again by itself."));
    return faultIn(body, text);
}

/* The error of the document that a daemon or banlistctl answered with; `text`: what is known without one. */
export function faultIn(body, text) {
    try {
        const { kind, message, hint, problems } = JSON.parse(body).error;
        return new Fault(kind, message, hint, problems ?? []);
    } catch {
        return new Fault("unknown", text || _("The answer of banlistd is not readable."));
    }
}

/* The administrator's name, for messages. */
let user = "";
/* What a member of the group does is done in that name; the rights of an administrator are used only by one who is no member. */
let superuser = null;

export async function begin() {
    user = (await cockpit.user()).name ?? "";
    try {
        await get("/v1/health");
    } catch (fault) {
        if (fault.kind === "denied") superuser = "try";
    }
}

export const operator = () => user;

/* The origin of what a user bans: the daemon takes no other characters, such as the backslash of DOMAIN\USER, and at most 60. */
export const originOf = name => `cockpit/${name.replace(/[^A-Za-z0-9 ._/:@+-]/g, "_")}`.slice(0, 60);

/* The channel of one request; `close` ends it. The promise fails with a Fault. */
export function request(method, path, { params = {}, body = null } = {}) {
    const client = cockpit.http({ unix: SOCKET, ...(superuser ? { superuser } : {}) });
    const given = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== "" && value !== null && value !== undefined));
    const running = client.request({
        method, path, params: given, body: body === null ? "" : JSON.stringify(body),
        headers: body === null ? {} : { "Content-Type": "application/json" },
    });
    const answer = new Promise((resolve, reject) => {
        running
            .then(text => resolve(JSON.parse(text)))
            .catch((problem, text) => reject(faultOf(problem, text, user)));
    });
    return { answer, close: () => running.close("cancelled") };
}

export const get = (path, params = {}) => request("GET", path, { params }).answer;
export const post = (path, body = {}) => request("POST", path, { body }).answer;

/* Whether orders come to the daemon as root's. */
export const actsAsAdministrator = () => superuser !== null;

/* { session } with the address from which this person is logged in, as logind knows it, or {}: the daemon bans it only by force. */
export async function ownAddress() {
    try {
        const said = await cockpit.spawn(["loginctl", "show-session", "self", "--property=RemoteHost", "--value"], { err: "ignore" });
        const host = said.trim().split("%")[0];
        return /^[0-9A-Fa-f:.]{2,45}$/.test(host) ? { session: host } : {};
    } catch {
        return {};
    }
}

/* The JSON that banlistctl prints; it reads and writes what the socket does not give: the catalogue, and files of the
 * configuration (`change`), for which the rights of an administrator are needed. `words` reach no shell. */
export function command(words, { change = false } = {}) {
    return new Promise((resolve, reject) => {
        cockpit.spawn(["banlistctl", "--json", ...words], { err: "message", ...(change ? { superuser: "require" } : {}) })
            .then(text => resolve(JSON.parse(text)))
            .catch((problem, text) => {
                if (problem.problem === "access-denied") {
                    reject(new Fault("denied", _("Only an administrator may change the configuration."),
                                     _("Switch to administrative access at the top of the page.")));
                } else if (problem.problem === "not-found") {
                    reject(new Fault("absent", _("There is no program banlistctl."), _("Install the package banlistd.")));
                } else reject(faultIn(text, problem.message));
            });
    });
}
