/* Translations, without a browser. Run by: node --test packaging/cockpit/test */

import assert from "node:assert/strict";
import { test } from "node:test";

import { read, script } from "../po.js";

const GERMAN = `# German
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

#: src/banlistd.js
msgid "Overview"
msgstr "Übersicht"

msgid "a \\"quoted\\""
" text"
msgstr "ein »Text«"

msgid "$0 ban"
msgid_plural "$0 bans"
msgstr[0] "$0 Sperre"
msgstr[1] "$0 Sperren"

#, fuzzy
msgid "Look up"
msgstr "Schau hinauf"

msgid "Events"
msgstr ""
`;

function located(text) {
    let given = null;
    new Function("cockpit", text)({ locale: data => { given = data; } });
    return given;
}

test("a translation is what Cockpit reads, without what is fuzzy or not translated", () => {
    const { "": heading, ...texts } = located(script(GERMAN, "de"));
    assert.deepEqual(texts, {
        Overview: [null, "Übersicht"], 'a "quoted" text': [null, "ein »Text«"], "$0 ban": [null, "$0 Sperre", "$0 Sperren"],
    });
    assert.deepEqual([0, 1, 2].map(count => Number(heading["plural-forms"](count))), [1, 0, 1]);
    assert.deepEqual([heading.language, heading["language-direction"]], ["de", "ltr"]);
});

test("of the menu only its own texts are translated", () => {
    assert.deepEqual(Object.keys(located(script(GERMAN, "de", text => text === "Overview"))), ["", "Overview"]);
});

test("a line that is not understood is named", () => {
    assert.throws(() => read('msgid "a"\nmsgtext "b"\n'), /line 2: not understood/);
    assert.throws(() => read('"a"\n'), /line 1: not understood/);
});

test("a plural rule that is more than arithmetic does not become code", () => {
    assert.throws(() => script(GERMAN.replace("(n != 1)", "alert(1)"), "de"), /no plural rule/);
    assert.throws(() => script('msgid "a"\nmsgstr "b"\n', "de"), /no plural rule/);
});
