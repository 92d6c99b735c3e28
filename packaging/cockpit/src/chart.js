/* Steps over time, drawn by uPlot; a table says the same to a screen reader elsewhere on the page. */

import uPlot from "uplot";
import { element } from "./elements.js";
import { _, number } from "./text.js";

const HEIGHT = 240;

/* `show(points)`: pairs of a moment, in seconds, and a value; the last value lasts until now. */
export function chart(name) {
    const place = element("div", { class: "chart", role: "img", "aria-label": name });
    const none = element("p", { class: "quiet" }, _("There is nothing to draw yet."));
    let drawn = null, data = null;

    function draw() {
        drawn?.destroy();
        drawn = null;
        none.hidden = data !== null;
        place.hidden = data === null;
        if (data === null || place.clientWidth === 0) return;
        const ink = getComputedStyle(place).color, faint = ink.replace("rgb(", "rgba(").replace(")", ", .2)");
        const axis = { stroke: ink, grid: { stroke: faint }, ticks: { stroke: faint } };
        drawn = new uPlot({
            width: place.clientWidth, height: HEIGHT, cursor: { drag: { x: false, y: false } },
            series: [{}, { label: name, stroke: ink, width: 2, paths: uPlot.paths.stepped({ align: 1 }), value: (_chart, value) => number(value) }],
            axes: [axis, { ...axis, size: 70, values: (_chart, values) => values.map(number) }],
            scales: { y: { range: (_chart, low, high) => [Math.min(0, low), Math.max(1, high * 1.05)] } },
        }, data, place);
    }

    // Cockpit loads a page in a frame of no width. In the next frame, since a change within the callback is an error event.
    const watched = new ResizeObserver(() => requestAnimationFrame(() => {
        if (place.clientWidth === 0) return;
        if (drawn) drawn.setSize({ width: place.clientWidth, height: HEIGHT });
        else draw();
    }));
    watched.observe(place);
    return {
        element: element("div", {}, element("h2", { class: "pf-v6-c-title pf-m-xl" }, name), place, none),
        show(points) {
            const next = points.length ? [[...points.map(([at]) => at), Date.now() / 1000], [...points.map(([, value]) => value), points[points.length - 1][1]]] : null;
            if (JSON.stringify(next?.[1]) === JSON.stringify(data?.[1])) return;
            data = next;
            draw();
        },
        redraw: draw,
        close() {
            watched.disconnect();
            drawn?.destroy();
        },
    };
}
