// Reads a systemd unit as systemd would, as far as ours goes, and refuses what it would read differently.

/** The argv of every ExecStart= line, or of another key's. @throws for what systemd would expand: specifiers and variables */
export function execStarts(unit: string, key = "ExecStart"): string[][] {
  return unit
    .split("\n")
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => split(line.slice(`${key}=`.length).replace(/^-/, "")));
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  s: " ",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

/** systemd.syntax(7), "Quoting": words, either quote around a whole word, and C escapes inside and outside of them. */
function split(command: string): string[] {
  if (/[%$]/.test(command.replaceAll("$$", "")))
    throw new Error(`systemd would expand something in: ${command}`);
  const word = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"'][^\s]*))(?=\s|$)/y;
  const words: string[] = [];
  while (word.lastIndex < command.length) {
    const found = word.exec(command);
    if (found === null) throw new Error(`systemd would not read: ${command}`);
    words.push(plain(found[1] ?? found[2] ?? found[3] ?? ""));
  }
  return words;
}

function plain(word: string): string {
  return word
    .replaceAll("$$", () => "$")
    .replaceAll(/\\(.)/g, (_, character: string) => {
      const escaped = escapes[character];
      if (escaped === undefined) throw new Error(`systemd has no escape \\${character}`);
      return escaped;
    });
}
