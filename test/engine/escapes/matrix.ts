// The matrix of what gets out, as a table of Markdown in docs/security.md, between two markers.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "../../support/lab/repository.ts";

export const document = join(repository, "docs/security.md");

const begin = "<!-- The matrix is written by test/engine/escapes; do not edit it by hand. -->";
const end = "<!-- End of the matrix. -->";

export type State = "open" | "closed" | `partly (${number})`;

/** Before and with Dockerwall, of one round. */
export interface Cell {
  readonly before: State;
  readonly guarded: State;
}

export interface Line {
  readonly name: string;
  /** By column, in order; undefined where the engine cannot be asked. */
  readonly cells: readonly (string | undefined)[];
}

/** What a cell says: both rounds at once where they agree. */
export function renderCell(byDefault: Cell | undefined, withAdmin: Cell | undefined): string | undefined {
  const text = (cell: Cell | undefined): string | undefined =>
    cell === undefined ? undefined : `${cell.before}→${cell.guarded}`;
  const [first, second] = [text(byDefault), text(withAdmin)];
  if (first === undefined || second === undefined) return first ?? second;
  return first === second ? first : `${first}; with NET_ADMIN ${second}`;
}

export function renderMatrix(
  columns: readonly string[],
  sections: readonly { readonly title: string; readonly lines: readonly Line[] }[],
): string {
  return sections
    .flatMap(({ title, lines }) => [
      "",
      `### ${title}`,
      "",
      `| | ${columns.join(" | ")} |`,
      `|---|${columns.map(() => "---").join("|")}|`,
      ...lines.map(({ name, cells }) => `| ${name} | ${cells.map((cell) => cell ?? "–").join(" | ")} |`),
    ])
    .join("\n");
}

/** The matrix that the document holds. */
export async function readMatrix(): Promise<string> {
  const text = await readFile(document, "utf8");
  return text.slice(text.indexOf(begin) + begin.length, text.indexOf(end)).trim();
}

/** What the document holds of one row of a section, by column; nothing for a row that it does not have. */
export type Kept = (section: string, row: string, column: string) => string | undefined;

/** The cells of the matrix that the document holds, for the columns of engines that are not run. */
export async function readKept(): Promise<Kept> {
  const cells = new Map<string, string>();
  let section = "";
  let columns: readonly string[] = [];
  for (const line of (await readMatrix()).split("\n")) {
    if (line.startsWith("### ")) section = line.slice("### ".length);
    const values = line.split(" | ").map((part) => part.replace(/^\| | \|$/g, ""));
    if (line.startsWith("| | ")) columns = values.slice(1);
    else if (line.startsWith("| "))
      for (const [index, column] of columns.entries())
        cells.set(`${section}\n${values[0]}\n${column}`, values[index + 1] ?? "");
  }
  return (title, row, column) => cells.get(`${title}\n${row}\n${column}`);
}

export async function writeMatrix(matrix: string): Promise<void> {
  const text = await readFile(document, "utf8");
  const [from, to] = [text.indexOf(begin) + begin.length, text.indexOf(end)];
  await writeFile(document, `${text.slice(0, from)}\n\n${matrix.trim()}\n\n${text.slice(to)}`);
}
