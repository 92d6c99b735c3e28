/* Translations: a PO file (GNU gettext, "The Format of PO Files") becomes the script in which Cockpit finds the texts of a page. */

const TEXT = /^"((?:[^"\\]|\\["\\nt])*)"$/;
const KEYWORD = /^(msgid|msgid_plural|msgstr|msgstr\[[0-5]\])\s+(".*")$/;
/* What a plural rule of gettext is made of, which is C and JavaScript alike; nothing else becomes code. */
const RULE = /^[n0-9\s()?:&|!<>=%]+$/;
const FROM_RIGHT = ["ar", "fa", "he", "ur"];

/* { header, texts }: of the texts that are translated, the original and its forms. Throws at a line that it does not understand. */
export function read(po) {
    const entries = [];
    let entry = null, key = "", isFuzzy = false;
    for (const [number, line] of po.split("\n").entries()) {
        const words = line.trim();
        const [, keyword, first] = KEYWORD.exec(words) ?? [];
        const more = TEXT.exec(first ?? words);
        if (words.startsWith("#,") && words.includes("fuzzy")) isFuzzy = true;
        if (words === "" || words.startsWith("#")) continue;
        if (!more || (!keyword && !entry)) throw new Error(`line ${number + 1}: not understood: ${words}`);
        if (keyword === "msgid") {
            entries.push(entry = { isFuzzy });
            isFuzzy = false;
        }
        if (keyword) key = keyword;
        entry[key] = (entry[key] ?? "") + JSON.parse(`"${more[1]}"`);
    }
    const formsOf = ({ msgstr, ...each }) => (msgstr === undefined ? [0, 1, 2, 3, 4, 5].map(form => each[`msgstr[${form}]`]) : [msgstr]).filter(form => form !== undefined);
    const texts = entries.filter(each => each.msgid && !each.isFuzzy).map(each => [each.msgid, formsOf(each)]);
    return { header: entries.find(each => each.msgid === "")?.msgstr ?? "", texts: texts.filter(([, forms]) => forms.length > 0 && forms.every(Boolean)) };
}

/* The script of a language; `wanted`: which originals are in it. Throws where the file has no plural rule. */
export function script(po, language, wanted = () => true) {
    const { header, texts } = read(po);
    const rule = /^Plural-Forms:.*\bplural=([^;\n]+)/mi.exec(header)?.[1].trim() ?? "";
    if (!RULE.test(rule)) throw new Error(`${language}: no plural rule in the header`);
    const direction = FROM_RIGHT.includes(language.split("_")[0]) ? "rtl" : "ltr";
    const heading = `"": {"plural-forms": n => ${rule}, "language": ${JSON.stringify(language)}, "language-direction": "${direction}"}`;
    const rows = texts.filter(([original]) => wanted(original)).map(([original, forms]) => `${JSON.stringify(original)}: ${JSON.stringify([null, ...forms])}`);
    return `cockpit.locale({${[heading, ...rows].join(",\n")}});\n`;
}
