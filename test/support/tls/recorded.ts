// What programs sent and were answered when they began TLS; recorded.txt says how it was recorded.

import { readFileSync } from "node:fs";
import { join } from "node:path";

export type RecordedKind = "hello" | "retried" | "server hello" | "server retry";

export interface Recorded {
  readonly program: string;
  readonly bytes: Buffer;
}

/** The name that all of them ask for. */
export const recordedName = "api.example.com";

const lines = readFileSync(join(import.meta.dirname, "recorded.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => line.split(" | "));

/** All of a kind, in the order of the file. */
export function recorded(kind: RecordedKind): readonly Recorded[] {
  return lines
    .filter(([of]) => of === kind)
    .map(([, program = "", base64 = ""]) => ({ program, bytes: Buffer.from(base64, "base64") }));
}
