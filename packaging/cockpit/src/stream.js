/* Events as they come: long requests, one after another. The daemon answers each within WAIT seconds, with events or without,
 * so that a longer silence means a connection that is dead: Cockpit 287 reports no end of a request whose server has died. */

import { request } from "./daemon.js";

const WAIT = 10, SILENCE = 15, FIRST_RETRY = 500, LAST_RETRY = 5000;

/* `onEvents(events, lost)`; `onState(isConnected)` at each change. Returns what ends it. */
export function follow(onEvents, onState) {
    let after = "", retry = FIRST_RETRY, connected = null, isOver = false, running = null;

    function state(now) {
        if (now === connected) return;
        connected = now;
        onState(now);
    }

    function once() {
        // Without a place the daemon answers at once, with the newest events.
        running = request("GET", "/v1/events", { params: after ? { after, wait: WAIT, limit: 1000 } : { limit: 100 } });
        let watchdog = null;
        const silence = new Promise((_resolve, reject) => { watchdog = setTimeout(() => reject(new Error("silence")), SILENCE * 1000); });
        return Promise.race([running.answer, silence]).finally(() => clearTimeout(watchdog));
    }

    async function loop() {
        while (!isOver) {
            try {
                const answer = await once();
                if (isOver) return;
                after = answer.after;
                retry = FIRST_RETRY;
                state(true);
                if (answer.events.length > 0 || answer.lost > 0) onEvents(answer.events, answer.lost);
            } catch {
                running.close();
                if (isOver) return;
                state(false);
                await new Promise(resolve => setTimeout(resolve, retry));
                retry = Math.min(2 * retry, LAST_RETRY);
            }
        }
    }

    loop();
    return () => {
        isOver = true;
        running.close();
    };
}
