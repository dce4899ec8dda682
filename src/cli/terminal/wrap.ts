// Text for terminals of 80 columns.

/** The columns of help. */
export const helpColumns = 80;

/**
 * The lines of a text, each broken at spaces so that it has at most `columns` characters. A longer word has a line of its
 * own. An indented line is code, and stays as it is.
 */
export function wrap(text: string, columns: number): readonly string[] {
  return text.split("\n").flatMap((line) => (line.startsWith(" ") ? [line] : wrapLine(line, columns)));
}

function wrapLine(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length > columns) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/**
 * Terms with their explanations beside them, which continue below themselves; below the term where the term is long.
 */
export function renderTerms(terms: readonly (readonly [term: string, text: string])[]): readonly string[] {
  const widest = Math.min(26, Math.max(...terms.map(([term]) => term.length)));
  const indent = " ".repeat(widest + 4);
  return terms.flatMap(([term, text]) => {
    const [first = "", ...rest] = wrap(text, helpColumns - indent.length);
    const fits = term.length <= widest;
    const head = fits ? [`  ${term.padEnd(widest)}  ${first}`] : [`  ${term}`, `${indent}${first}`];
    return [...head, ...rest.map((line) => `${indent}${line}`)];
  });
}
