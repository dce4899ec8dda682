// A question that has arrived at our listeners in a sandbox.

import type { Transport } from "../../../core/dns/wire/message.ts";

export interface SandboxQuery {
  readonly message: Uint8Array;
  readonly transport: Transport;
  /** File name of the sandbox. */
  readonly sandbox: string;
  /** By performance.now(). */
  readonly arrivedAtMs: number;
  readonly isGone: (() => boolean) | undefined;
  readonly reply: (answer: Uint8Array | undefined) => void;
}
