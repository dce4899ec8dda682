// How text gets to a terminal. Names of containers and domains come from those we guard against: nothing in them may
// move the cursor, change colours, reorder text, or pass for a second column.

/** The characters of nearly all names. */
const plain = /^[\x21-\x5b\x5d-\x7e]*$/;
/** Every kind of control, format, unassigned or separator character, and the backslash that escapes them. */
const unsafe = /[\p{C}\p{Z}\\]/gu;
/** In JSON the C0 controls and the backslash are escaped already; a space is harmless. */
const unsafeInJson = /[\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u007f-\u009f]/gu;

/** The text with everything invisible escaped: `\x1b`, `\u{202e}`. */
export function printable(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(unsafe, (character) => {
    if (character === "\\") return "\\\\";
    const code = character.codePointAt(0) ?? 0;
    const hex = code.toString(16);
    return code <= 0xff ? `\\x${hex.padStart(2, "0")}` : `\\u{${hex}}`;
  });
}

/** A sentence that may quote foreign text: as `printable`, but with its spaces, quotes and backslashes left alone. */
export function printableSentence(text: string): string {
  return text
    .split(/([ \\])/)
    .map((part) => (part === " " || part === "\\" ? part : printable(part)))
    .join("");
}

/** A container in a table; `-` where it was never known. */
export function containerCell({
  container,
  gone,
}: {
  readonly container: string | undefined;
  readonly gone?: true;
}): string {
  if (container === undefined) return "-";
  return gone === true ? `${printable(container)} (gone)` : printable(container);
}

/** `1 packet`, `2 packets`. */
export function renderPackets(count: number): string {
  return `${count} ${count === 1 ? "packet" : "packets"}`;
}

/** Indented JSON, safe for a terminal too, with a newline at its end. */
export function renderJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2).replace(unsafeInJson, (character) =>
    Array.from({ length: character.length }, (_, index) => {
      return `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
    }).join(""),
  );
  return `${text}\n`;
}

/** `12s ago`, `3m ago`, `5h ago`, `2d ago`. */
export function renderAge(thenMs: number, nowMs: number): string {
  return `${renderSpan(nowMs - thenMs)} ago`;
}

/** What is left of a span, to the nearest unit of its size: `1h` is not `59m` a moment later. */
export function renderLeft(spanMs: number): string {
  const unitMs = [1_000, 60_000, 3_600_000].findLast((each) => spanMs >= each) ?? 1_000;
  return renderSpan(Math.round(spanMs / unitMs) * unitMs);
}

/** In the largest whole unit: `12s`, `3m`, `5h`, `2d`. A negative span is `0s`: clocks are set back now and then. */
export function renderSpan(spanMs: number): string {
  const seconds = Math.max(0, Math.floor(spanMs / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
