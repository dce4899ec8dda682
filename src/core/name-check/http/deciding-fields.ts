// The fields that say where a request goes, how long it is, and what the connection is behind it.

import { textOf } from "../asked-name.ts";
import type { HttpRefusal, Refused } from "../refusals.ts";
import { bytesOf } from "./bytes.ts";
import { hostNamed } from "./host.ts";
import type { FieldLine } from "./line.ts";

/** Their names, with what a second one is refused for; undefined for a list that may go on in another field. */
const deciding: ReadonlyMap<string, HttpRefusal | undefined> = new Map([
  ["host", "two-hosts"],
  ["content-length", "content-length"],
  ["transfer-encoding", "transfer-encoding"],
  ["connection", undefined],
  ["expect", "expectation"],
  ["upgrade", "upgrade"],
  ["sec-websocket-key", "upgrade"],
  ["sec-websocket-version", "upgrade"],
]);

export type Upgrade = "websocket" | "h2c";

const upgrades: ReadonlyMap<string, Upgrade> = new Map([
  ["websocket", "websocket"],
  ["h2c", "h2c"],
]);

/** Fields that a server nearer to the site would miss, if one on the way took them out as Connection says. */
const endToEnd = ["host", "content-length", "transfer-encoding", "expect"];

/** Whether a field of this name decides. What passes names on as CGI does takes `Content_Length` for `Content-Length`. */
export function isDeciding(name: string): boolean {
  return deciding.has(name.replaceAll("_", "-"));
}

/** What the fields of one head say, filled line by line. */
export class DecidingFields {
  host: string | undefined;
  /** Bytes, from 0 to 2^53 - 1. */
  contentLength: number | undefined;
  isChunked = false;
  readonly #seen = new Set<string>();
  readonly #options = new Set<string>();
  #protocol: Upgrade | undefined;

  /** Takes one field into account; what is wrong with it, if something is. */
  take(bytes: Uint8Array, { name, valueFrom, valueTo }: FieldLine): HttpRefusal | undefined {
    if (!isDeciding(name)) return undefined;
    if (name.includes("_")) return "field-name";
    const whenSecond = deciding.get(name);
    if (whenSecond !== undefined && this.#seen.has(name)) return whenSecond;
    this.#seen.add(name);
    if (name === "host") return this.#takeHost(bytes, valueFrom, valueTo);
    return this.#takeText(name, textOf(bytes, valueFrom, valueTo));
  }

  #takeText(name: string, text: string): HttpRefusal | undefined {
    switch (name) {
      case "content-length":
        return this.#takeLength(text);
      case "transfer-encoding":
        this.isChunked = true;
        return /^ ?chunked$/.test(text) ? undefined : "transfer-encoding";
      case "connection":
        return this.#takeConnection(text);
      case "expect":
        return /^[ \t]*100-continue[ \t]*$/i.test(text) ? undefined : "expectation";
      case "upgrade":
        this.#protocol = upgrades.get(text.replaceAll(/^[ \t]+|[ \t]+$/g, "").toLowerCase());
        return this.#protocol === undefined ? "upgrade" : undefined;
      case "sec-websocket-version":
        return /^[ \t]*13[ \t]*$/.test(text) ? undefined : "upgrade";
      default:
        return undefined;
    }
  }

  /**
   * What the connection is to become. It is refused when that is asked for otherwise than RFC 6455 section 4.1 and RFC 7540
   * section 3.2 say; a body is refused with it, as servers differ in which protocol that is in.
   */
  upgradeOf(isPlain: boolean, isGet: boolean): Upgrade | "none" | Refused<HttpRefusal> {
    if (this.#protocol === undefined) return "none";
    const isWhole =
      this.#protocol === "h2c" ||
      (isGet && this.#seen.has("sec-websocket-key") && this.#seen.has("sec-websocket-version"));
    return isPlain && isWhole && this.#options.has("upgrade") ? this.#protocol : { refusal: "upgrade" };
  }

  /** Of what decides, only one blank in front is taken: every client writes it so, and servers differ in what else is blank. */
  #takeHost(bytes: Uint8Array, from: number, to: number): HttpRefusal | undefined {
    const host = hostNamed(bytes, bytes[from] === bytesOf.space ? from + 1 : from, to);
    if ("refusal" in host) return host.refusal;
    this.host = host.name;
    return undefined;
  }

  #takeLength(text: string): HttpRefusal | undefined {
    const [, digits] = /^ ?(0|[1-9][0-9]*)$/.exec(text) ?? [];
    const length = Number(digits);
    if (!Number.isSafeInteger(length)) return "content-length";
    this.contentLength = length;
    return undefined;
  }

  #takeConnection(text: string): HttpRefusal | undefined {
    for (const option of text.split(",")) this.#options.add(option.trim().toLowerCase());
    return endToEnd.some((name) => this.#options.has(name)) ? "connection-option" : undefined;
  }
}
