// Requests read in the plainest way, and more leniently than any server reads them: by texts, with every end of a line,
// blank and spelling that some server knows. Where this and a strict reader agree, no server differs from either.

export interface NaiveRequest {
  /** Each host that it names, in lower case, without a port. */
  readonly hosts: ReadonlySet<string>;
  readonly lengths: ReadonlySet<string>;
  readonly codings: ReadonlySet<string>;
  readonly headBytes: number;
  /** As sent; undefined when the text ends before it. */
  readonly bodyBytes: number | undefined;
  /** What the body says, without sizes and trailers. */
  readonly content: number;
}

/** The requests that have a whole head, up to the first whose body is not whole. */
export function naiveRequests(text: string): readonly NaiveRequest[] {
  const requests: NaiveRequest[] = [];
  let left = text;
  for (;;) {
    const end = /(?:\r\n|\r(?!\n)|\n){2}/.exec(left);
    if (end === null) return requests;
    const headBytes = end.index + end[0].length;
    const head = headOf(left.slice(0, end.index));
    const body = bodyIn(left.slice(headBytes), head);
    requests.push({ ...head, headBytes, ...body });
    if (body.bodyBytes === undefined) return requests;
    left = left.slice(headBytes + body.bodyBytes);
  }
}

function headOf(text: string): Pick<NaiveRequest, "hosts" | "lengths" | "codings"> {
  const [first = "", ...lines] = text.split(/\r\n|\r|\n/);
  const fields = lines.map((line) => {
    const [, name = "", value = ""] = /^([^:]*):?(.*)$/s.exec(line) ?? [];
    return {
      name: name
        .replace(/[\s\0-\x20\x7f-\xff]/g, "")
        .toLowerCase()
        .replaceAll("_", "-"),
      value: value.trim(),
    };
  });
  const valuesOf = (wanted: string): string[] =>
    fields.filter(({ name }) => name === wanted).map(({ value }) => value);
  const [, authority] = /\s[a-z]+:\/*([^/?#\s]*)/i.exec(first) ?? [];
  const named = authority === undefined ? valuesOf("host") : [authority, ...valuesOf("host")];
  return {
    hosts: new Set(
      named.map((value) =>
        value
          .replace(/^.*@/, "")
          .replace(/:[0-9]*$/, "")
          .toLowerCase(),
      ),
    ),
    lengths: new Set(valuesOf("content-length")),
    codings: new Set(valuesOf("transfer-encoding")),
  };
}

function bodyIn(
  text: string,
  { lengths, codings }: Pick<NaiveRequest, "lengths" | "codings">,
): Pick<NaiveRequest, "bodyBytes" | "content"> {
  if (codings.size > 0) return chunksIn(text);
  const content = Number([...lengths].at(-1) ?? 0);
  return { bodyBytes: content <= text.length ? content : undefined, content };
}

function chunksIn(text: string): Pick<NaiveRequest, "bodyBytes" | "content"> {
  let content = 0;
  let at = 0;
  for (;;) {
    const [line, digits] = /^\s*([0-9a-f]*)[^\n]*\n/i.exec(text.slice(at)) ?? [];
    if (line === undefined) return { bodyBytes: undefined, content };
    const size = Number.parseInt(digits ?? "", 16) || 0;
    at += line.length;
    if (size === 0) break;
    content += size;
    at += size;
    at += /^(\r\n|\n)?/.exec(text.slice(at))?.[0].length ?? 0;
  }
  for (;;) {
    const [line] = /^[^\n]*\n/.exec(text.slice(at)) ?? [];
    if (line === undefined) return { bodyBytes: undefined, content };
    at += line.length;
    if (line.trim() === "") return { bodyBytes: at, content };
  }
}
