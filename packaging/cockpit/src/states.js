/* What the state of a source is for a person; pure functions, tested without a browser. */

import { _, counted, format } from "./text.js";

/* { text, tone, why } of a row of /v1/sources: what needs attention most. */
export function stateOf(source) {
    if (!source.enabled) return { text: _("disabled"), tone: "", why: "" };
    if (source.quarantined && source.quarantined !== "hold") return { text: _("quarantined"), tone: "warning", why: format(_("refused by the guard $0"), source.quarantined) };
    if (source.failures > 0) {
        return { text: _("failing"), tone: "danger", why: format(_("$0: $1"), counted(source.failures, "$0 failure", "$0 failures"), source.error) };
    }
    if (source.stale_since !== null) return { text: _("stale"), tone: "warning", why: _("the list has not changed for too long") };
    if (source.quarantined === "hold") return { text: _("waiting"), tone: "info", why: _("a new version waits for its time") };
    if (source.suspended.includes("pinned")) return { text: _("pinned"), tone: "info", why: _("kept at an older or present content") };
    if (source.suspended.includes("paused")) return { text: _("paused"), tone: "info", why: _("not polled until it is resumed") };
    if (source.oddities.length > 0) return { text: source.oddities[0].condition, tone: "warning", why: source.oddities[0].message };
    if (source.polling) return { text: _("polling"), tone: "info", why: "" };
    if (source.state === "completed") return { text: _("in force"), tone: "success", why: "" };
    if (source.state === "never") return { text: _("not read yet"), tone: "warning", why: source.error };
    return { text: source.state, tone: source.state === "failed" ? "danger" : "info", why: source.error };
}

export const toneOfVerdict = verdict => ({ PROTECTED: "success", DEGRADED: "warning", OPEN: "danger" })[verdict] ?? "info";

/* What a poll, approval or rollback came to, as a sentence. */
export function outcomeText(row) {
    switch (row.outcome) {
    case "completed": return format(_("$0: $1 came, $2 went"), row.id, row.added, row.removed);
    case "skipped": return format(_("$0: unchanged"), row.id);
    case "deferred": return format(_("$0: not asked yet, its publisher allows no request: $1"), row.id, row.reason);
    case "suspended": return format(_("$0: not polled: $1"), row.id, row.reason);
    case "lost_race": return format(_("$0: another import was first"), row.id);
    default: return format(_("$0: $1: $2"), row.id, row.outcome, row.error);
    }
}

/* Whether all went well, for the tone of what is said. */
export const isGood = row => ["completed", "skipped", "lost_race"].includes(row.outcome);

/* Of import runs, newest first, as /v1/history has them: pairs of a moment and how many entries all their lists had then. What
 * a list had before its oldest run follows from what that run added and removed. */
export function entriesOverTime(runs) {
    const done = runs.filter(run => run.state === "completed" && run.completed_at !== null).reverse();
    const now = new Map();
    for (const run of done) if (!now.has(run.source_id)) now.set(run.source_id, run.entries - run.added + run.removed);
    let total = [...now.values()].reduce((sum, entries) => sum + entries, 0);
    return done.sort((one, other) => one.completed_at - other.completed_at).map(run => {
        total += run.entries - now.get(run.source_id);
        now.set(run.source_id, run.entries);
        return [run.completed_at, total];
    });
}

/* `samples`: pairs of a moment and a count that grows; pairs of a moment and how much it grew each second until then. */
export function ratesOf(samples) {
    return samples.slice(1).map(([at, count], index) => {
        const [before, old] = samples[index];
        return [at, Math.max(0, count - old) / Math.max(1, at - before)];
    });
}
