/* What needs no browser: words, states, faults. Run by: node --test packaging/cockpit/test */

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.cockpit = {
    gettext: text => text,
    ngettext: (one, many, count) => (count === 1 ? one : many),
    format: (text, ...values) => text.replace(/\$(\d)/g, (_all, index) => values[index] ?? ""),
};

const { counted, duration, number, relative, size } = await import("../src/text.js");
const { entriesOverTime, isGood, outcomeText, ratesOf, stateOf, toneOfVerdict } = await import("../src/states.js");
const { faultIn, faultOf, originOf } = await import("../src/daemon.js");

const source = changes => ({
    id: "drop", enabled: true, state: "completed", quarantined: null, failures: 0, error: "", stale_since: null,
    suspended: [], oddities: [], polling: false, ...changes,
});

test("a duration has the largest unit that fits", () => {
    assert.deepEqual([0, 59.9, 60, 7260, 86400, 172800].map(duration), ["0 s", "59 s", "1 min", "2 h", "24 h", "2 days"]);
});

test("a user of any name has an origin that the daemon takes", () => {
    assert.deepEqual(["anna", "anna@example.org", "OFFICE\\anna", "jürgen"].map(originOf),
                     ["cockpit/anna", "cockpit/anna@example.org", "cockpit/OFFICE_anna", "cockpit/j_rgen"]);
    assert.equal(originOf("a".repeat(100)).length, 60);
});

test("a moment is before or after now", () => {
    assert.deepEqual([relative(100, 160), relative(160, 100), relative(100.5, 100)], ["1 min ago", "in 1 min", "now"]);
});

test("a number has its thousands parted, and what is not known is empty", () => {
    assert.deepEqual([number(1234567), number(0), number(null), number(undefined)], ["1,234,567", "0", "", ""]);
});

test("a size has the unit that leaves at most three digits", () => {
    assert.deepEqual([size(999), size(4_000_000), size(12_345_678), size(null)], ["999 B", "4.0 MB", "12 MB", ""]);
});

test("a count has its noun", () => {
    assert.deepEqual([counted(1, "$0 ban", "$0 bans"), counted(1000, "$0 ban", "$0 bans")], ["1 ban", "1,000 bans"]);
});

test("of several states of a source the one that needs attention most is shown", () => {
    const shown = changes => stateOf(source(changes)).text;
    assert.equal(shown({}), "in force");
    assert.equal(shown({ polling: true }), "polling");
    assert.equal(shown({ suspended: ["paused"], polling: true }), "paused");
    assert.equal(shown({ suspended: ["paused", "pinned"] }), "pinned");
    assert.equal(shown({ failures: 2, stale_since: 1 }), "failing");
    assert.equal(shown({ failures: 2, quarantined: "shrunk" }), "quarantined");
    assert.equal(shown({ quarantined: "hold" }), "waiting");
    assert.equal(shown({ failures: 2, quarantined: "hold" }), "failing");
    assert.equal(shown({ failures: 2, enabled: false }), "disabled");
    assert.equal(shown({ state: "never" }), "not read yet");
    assert.equal(shown({ oddities: [{ condition: "frozen", message: "" }] }), "frozen");
});

test("a verdict that is not known is no success", () => {
    assert.deepEqual(["PROTECTED", "DEGRADED", "OPEN", "?"].map(toneOfVerdict), ["success", "warning", "danger", "info"]);
});

test("an outcome is a sentence, and a refusal is not good", () => {
    const row = outcome => ({ id: "drop", outcome, added: 3, removed: 1, error: "too small", reason: "in 1 h" });
    assert.equal(outcomeText(row("completed")), "drop: 3 came, 1 went");
    assert.equal(outcomeText(row("refused")), "drop: refused: too small");
    assert.deepEqual(["completed", "skipped", "lost_race", "refused", "failed", "deferred"].map(each => isGood(row(each))), [true, true, true, false, false, false]);
});

test("a forbidden socket is told from a missing one, on either Cockpit", () => {
    assert.equal(faultOf({ problem: "access-denied", message: "" }, null, "ann").kind, "denied");
    assert.equal(faultOf({ problem: "not-found", message: "[Errno 13] Permission denied" }, null, "ann").kind, "denied");
    assert.equal(faultOf({ problem: "not-found", message: "[Errno 2] No such file or directory" }, null, "ann").kind, "absent");
    assert.equal(faultOf({ problem: "not-found", message: "Not found" }, null, "ann").kind, "absent");
    assert.match(faultOf({ problem: "access-denied" }, null, "ann").hint, /adduser ann banlistd/);
});

test("an error of the daemon keeps its words, and another answer is an error all the same", () => {
    const body = JSON.stringify({ error: { kind: "RefusedError", message: "never banned", hint: "see allow", exit_code: 65 } });
    const fault = faultOf({ status: 422, message: "Unprocessable" }, body, "ann");
    assert.deepEqual([fault.kind, fault.message, fault.hint, fault.problems], ["RefusedError", "never banned", "see allow", []]);
    assert.equal(faultOf({ status: 500, message: "Internal" }, "<h1>no JSON</h1>", "ann").kind, "unknown");
});

test("what banlistctl says is shown as it is, whatever its words are", () => {
    const body = JSON.stringify({ error: { kind: "FetchError", message: "example.org: connection refused", hint: "", exit_code: 69 } });
    const fault = faultIn(body, "connection refused");
    assert.deepEqual([fault.kind, fault.message], ["FetchError", "example.org: connection refused"]);
    assert.equal(faultIn("", "sh: no such file").message, "sh: no such file");
});

test("the entries of all lists over time begin with what was there before the oldest run", () => {
    const run = (source_id, completed_at, entries, added, removed, state = "completed") => ({ source_id, completed_at, entries, added, removed, state });
    const newestFirst = [run("b", 30, 5, 5, 0), run("a", 25, 1, 1, 0, "failed"), run("a", 20, 90, 0, 10), run("a", 10, 100, 20, 0)];
    assert.deepEqual(entriesOverTime(newestFirst), [[10, 100], [20, 90], [30, 95]]);
    assert.deepEqual(entriesOverTime([]), []);
});

test("a rate is what came between two samples, and never below zero", () => {
    assert.deepEqual(ratesOf([[0, 10], [10, 30], [20, 0]]), [[10, 2], [20, 0]]);
    assert.deepEqual(ratesOf([[0, 10]]), []);
});
