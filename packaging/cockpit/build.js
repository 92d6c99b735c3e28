// node build.js FOLDER: bundles src/ and the packages of package-lock.json into FOLDER. packaging/build-cockpit calls it where
// those packages are installed.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { script } from "./po.js";

const [, , folder] = process.argv;
if (!folder) throw new Error("usage: node build.js FOLDER");

// Of PatternFly only what the page has: all of it would be three times as much.
const COMPONENTS = ["Alert/alert", "Button/button", "FormControl/form-control", "Label/label", "Table/table", "Table/table-grid", "Title/title"];
const patternfly = ["patternfly-base.css", ...COMPONENTS.map(name => `components/${name}.css`)];
const imports = patternfly.map(name => `@import "@patternfly/patternfly/${name}";`).join("\n");

const css = {
    name: "css",
    setup(bundle) {
        bundle.onLoad({ filter: /src\/banlistd\.css$/ }, ({ path }) => ({
            contents: readFileSync(path, "utf8").replace("/* build: patternfly */", imports), loader: "css",
        }));
        // Cockpit has the fonts, and the page uses no picture of PatternFly's.
        bundle.onLoad({ filter: /patternfly.*\.css$/ }, ({ path }) => ({
            contents: readFileSync(path, "utf8").replace(/@font-face\s*\{[^}]*\}/g, "").replace(/url\([^)]*\.(?:svg|png|jpg)["']?\)/g, "none"),
            loader: "css",
        }));
    },
};

mkdirSync(folder, { recursive: true });
const common = { bundle: true, minify: true, target: ["es2022"], charset: "utf8", external: ["*.woff2"], legalComments: "eof", logLevel: "warning" };
await build({ ...common, format: "esm", entryPoints: ["src/banlistd.js"], outfile: `${folder}/banlistd.js` });
await build({ ...common, plugins: [css], entryPoints: ["src/banlistd.css"], outfile: `${folder}/banlistd.css` });
copyFileSync("src/index.html", `${folder}/index.html`);
copyFileSync("manifest.json", `${folder}/manifest.json`);

// Cockpit adds the language of the person to the names po.js and po.manifest.js.
const labels = Object.values(JSON.parse(readFileSync("manifest.json", "utf8")).tools).map(tool => tool.label);
for (const file of readdirSync("po").filter(name => name.endsWith(".po"))) {
    const language = file.slice(0, -".po".length), po = readFileSync(`po/${file}`, "utf8");
    writeFileSync(`${folder}/po.${language}.js`, script(po, language));
    writeFileSync(`${folder}/po.manifest.${language}.js`, script(po, language, text => labels.includes(text)));
}
