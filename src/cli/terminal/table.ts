// Aligned columns for terminals, where a character takes no cell, one, or two.

export interface Column {
  readonly align: "left" | "right";
}

/** Lines of cells. Each column is as wide as its widest cell; columns are two spaces apart; no trailing spaces. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  indent = "",
): string {
  const widths = rows.map((row) => columns.map((_, index) => cellWidth(row[index] ?? "")));
  const widest = columns.map((_, index) => {
    return widths.reduce((most, row) => Math.max(most, row[index] ?? 0), 0);
  });
  return rows
    .map((row, number) => {
      const cells = columns.map(({ align }, index) => {
        const cell = row[index] ?? "";
        const padding = " ".repeat((widest[index] ?? 0) - (widths[number]?.[index] ?? 0));
        return align === "left" ? cell + padding : padding + cell;
      });
      return `${indent}${cells.join("  ")}`.trimEnd().concat("\n");
    })
    .join("");
}

/**
 * Terminal cells that a text without control characters takes.
 * @see https://www.unicode.org/reports/tr11/ East Asian Width
 */
function cellWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

function characterWidth(character: string): 0 | 1 | 2 {
  // Before the combining marks every letter takes one.
  if (character < "\u0300") return 1;
  if (/^[\p{Mn}\p{Me}\p{Cf}]$/u.test(character)) return 0;
  if (/^\p{Emoji_Presentation}$/u.test(character)) return 2;
  return isWide(character.codePointAt(0) ?? 0) ? 2 : 1;
}

// Our own, as Node's function is internal, patterns do not know this property, and string-width would be five modules more
// at each start of `stats`.
/** East Asian Wide and Fullwidth, in blocks; first and last code point. */
const wideBlocks: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0x303e],
  [0x3041, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff01, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x1b2ff],
  [0x20000, 0x3fffd],
];

function isWide(code: number): boolean {
  return wideBlocks.some(([first, last]) => code >= first && code <= last);
}
