/* Light or dark, as Cockpit's shell says: it keeps the choice in localStorage, and announces a change to its frames. The class
 * is that of the PatternFly of this page; the shell's own differs with its version. */

const preference = matchMedia("(prefers-color-scheme: dark)");

export function followTheme(onChange) {
    const apply = (style = localStorage.getItem("shell:style") || "auto") => {
        document.documentElement.classList.toggle("pf-v6-theme-dark", style === "dark" || (style === "auto" && preference.matches));
        onChange();
    };
    window.addEventListener("storage", event => event.key === "shell:style" && apply());
    window.addEventListener("cockpit-style", event => apply(event.detail?.style));
    preference.addEventListener("change", () => apply());
    apply();
}
