// The shapes of `--json`, as docs/json.md prints them: the declarations of src/core and of the control API, as they come
// out in JSON.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const src = join(import.meta.dirname, "../../src");
const folders = ["core", "control/api"];

/** What each command prints, by the name of its type. */
const printed: Readonly<Record<string, string>> = {
  stats: "StatsReport",
  status: "StatusReport",
  doctor: "DoctorReport",
  explain: "ExplainReport",
  suggest: "SuggestReport",
  replay: "ReplayReport",
  "allow, deny": "ChangedOverrides",
  "quarantine, release": "QuarantineReport",
  "prepare-network": "PreparedNetwork",
  "check, of files": "CheckReport",
  "check, of entries": "ListCheck",
};

interface Declaration {
  readonly name: string;
  readonly text: string;
}

/** Every interface and type of these folders that is written over whole lines. */
function readDeclarations(): ReadonlyMap<string, Declaration> {
  const files = folders.flatMap((folder) =>
    readdirSync(join(src, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(src, folder, name)),
  );
  const found = new Map<string, Declaration>();
  for (const file of files) {
    const text = readFileSync(file, "utf8");
    // A type ends where nothing indented follows, and no brace: it may hold whole lines of its own.
    const pattern =
      /^((?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?)(?:export )?((?:interface (\w+)[^\n]*\{\n[\s\S]*?^\})|(?:type (\w+) =[\s\S]*?;$(?!\n+[ }])))/gm;
    for (const [, comment = "", body = "", ofInterface, ofType] of text.matchAll(pattern)) {
      const name = ofInterface ?? ofType ?? "";
      if (!found.has(name)) found.set(name, { name, text: `${comment}${body}` });
    }
  }
  return found;
}

/** Types that are text in JSON, and say no more. */
const texts: readonly string[] = ["IpAddress"];

/** Fields that are undefined are absent in JSON; whatever is readonly is only data. */
function asJson(text: string): string {
  return text
    .replaceAll(new RegExp(`\\b(${texts.join("|")})\\b`, "g"), "string")
    .replaceAll(/\breadonly /g, "")
    .replaceAll(/\b(\w+):\n +\| (\{[^{}]*\})\n +\| undefined;/g, "$1?: $2;")
    .replaceAll(/\b(\w+)\??: ((?:[^:;{}\n]|\{[^{}\n]*\})*?) \| undefined(?=;| \})/g, "$1?: $2");
}

/** The declaration and all that it names, each once, in the order of their first mention. */
function closureOf(root: string, declarations: ReadonlyMap<string, Declaration>): readonly Declaration[] {
  const order: Declaration[] = [];
  const visit = (name: string): void => {
    const declaration = declarations.get(name);
    if (declaration === undefined || texts.includes(name) || order.includes(declaration)) return;
    order.push(declaration);
    const code = declaration.text.replaceAll(/\/\*\*[\s\S]*?\*\//g, "");
    for (const [word] of code.matchAll(/\b[A-Z]\w+\b/g)) visit(word);
  };
  visit(root);
  return order;
}

/** The generated part of docs/json.md. Each type is printed once, below the first command that needs it. */
export function renderJsonDocs(): string {
  const declarations = readDeclarations();
  const said = new Set<string>();
  const sections = Object.entries(printed).map(([command, root]) => {
    const closure = closureOf(root, declarations);
    if (closure.length === 0) throw new Error(`no type ${root} in ${folders.join(" and ")}`);
    const fresh = closure.filter(({ name }) => !said.has(name));
    for (const { name } of fresh) said.add(name);
    if (fresh.length === 0) return `### ${command}\n\n\`${root}\`, as above.\n`;
    const body = fresh.map(({ text }) => asJson(text)).join("\n\n");
    return `### ${command}\n\n\`${root}\`:\n\n\`\`\`ts\n${body}\n\`\`\`\n`;
  });
  return sections.join("\n");
}
