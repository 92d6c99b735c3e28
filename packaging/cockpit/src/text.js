/* Words, numbers and times for people. Every text of the page goes through `_` or `counted`, so that xgettext finds it. */

export const _ = text => cockpit.gettext(text);

/* format(_("$0 of $1"), 3, 4); the arguments become text, never markup. */
export const format = (text, ...values) => cockpit.format(text, ...values.map(String));

export const number = value => (value === null || value === undefined ? "" : Number(value).toLocaleString("en"));

/* counted(2, "$0 source", "$0 sources") is "2 sources". */
export const counted = (count, one, many) => format(cockpit.ngettext(one, many, count), number(count));

const MINUTE = 60, HOUR = 3600, DAY = 86400;

/* `seconds` in the largest unit that fits, rounded down: 7260 is "2 h". */
export function duration(seconds) {
    const length = Math.max(0, Math.floor(seconds));
    if (length < MINUTE) return format(_("$0 s"), length);
    if (length < HOUR) return format(_("$0 min"), Math.floor(length / MINUTE));
    if (length < 2 * DAY) return format(_("$0 h"), Math.floor(length / HOUR));
    return format(_("$0 days"), Math.floor(length / DAY));
}

/* `at` and `now`: seconds since the epoch. */
export function relative(at, now) {
    const ahead = at - now;
    if (Math.abs(ahead) < 1) return _("now");
    return ahead > 0 ? format(_("in $0"), duration(ahead)) : format(_("$0 ago"), duration(-ahead));
}

/* The local date and time of `at`, seconds since the epoch, as 2026-11-29 10:00:00. */
export function moment(at) {
    const when = new Date(at * 1000);
    const two = value => String(value).padStart(2, "0");
    const date = [when.getFullYear(), two(when.getMonth() + 1), two(when.getDate())].join("-");
    return `${date} ${[when.getHours(), when.getMinutes(), when.getSeconds()].map(two).join(":")}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/* Octets: 4000000 is "4 MB". */
export function size(octets) {
    if (octets === null || octets === undefined) return "";
    let value = octets, unit = 0;
    for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1000;
    return `${value < 10 && unit ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}
