// Asks from inside a container, byte for byte.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "./lab/engine.ts";

export interface RawAsk {
  readonly transport: "udp" | "tcp";
  readonly message: Uint8Array;
}

const script = readFileSync(join(import.meta.dirname, "raw-asker.cjs"), "utf8");

/** What came back for each message, in order; undefined is silence. `server` is Docker's own by default. */
export async function askRaw(
  engine: Engine,
  container: string,
  asks: readonly RawAsk[],
  server = "127.0.0.11",
): Promise<readonly (Buffer | undefined)[]> {
  const input = JSON.stringify(
    asks.map(({ transport, message }) => ({ transport, hex: Buffer.from(message).toString("hex") })),
  );
  const outcome = await engine.dockerWith(
    { input, timeoutMs: 60_000 },
    ...["exec", "-i", container, "node", "-e", script, server],
  );
  assert.equal(outcome.exitCode, 0, `${engine.name}: ${outcome.stderr}`);
  const answers = JSON.parse(outcome.stdout) as readonly (string | null)[];
  return answers.map((hex) => (hex === null ? undefined : Buffer.from(hex, "hex")));
}
