// Names in the presentation form that decisions use: lower case, no trailing dot, odd bytes escaped.

/** The name without its first label. A dot inside a label is escaped by a backslash and does not count. */
export function parentOf(name: string): string {
  for (let index = 0; index < name.length; index++) {
    if (name[index] === "\\") index++;
    else if (name[index] === ".") return name.slice(index + 1);
  }
  return "";
}

/** A label with one character for each byte: what is written as an escape is one, and no part of it is another. */
export function bytesOfLabel(label: string): string {
  if (!label.includes("\\")) return label;
  return label.replaceAll(/\\(\d{3}|.)/g, (_, escaped: string) =>
    escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped,
  );
}

/** The labels after the last one with a `*`. */
export function literalPart(pattern: string): string {
  const labels = pattern.split(".");
  return labels.slice(labels.findLastIndex((label) => label.includes("*")) + 1).join(".");
}
