// Reads the addresses of a sandbox whenever they change, but not as often as its container can change them.

import { contained, type OnFailure, tellFailure } from "../../core/contain.ts";
import type { Readiness } from "../kernel/readiness.ts";
import type { Sandbox } from "./sandbox.ts";

export interface AddressWatchOptions {
  readonly readiness: Readiness;
  readonly read: (sandbox: Sandbox) => void;
  readonly onFailure: OnFailure;
}

/** How soon a watch that was refused is tried again, ms; the addresses are read then in any case. */
const retryMs = 1_000;

/** Watches until the sandbox is closed. It tells once what keeps it from that, and tries again. */
export function watchAddresses(sandbox: Sandbox, options: AddressWatchOptions): void {
  const { readiness, read, onFailure } = options;
  let isRefused = false;
  const watch = (): void => {
    try {
      sandbox.unwatch = readiness.watch(sandbox.addressFd, contained(readAtPace, onFailure));
      isRefused = false;
    } catch (error) {
      sandbox.unwatch = () => undefined;
      sandbox.readTimer = setTimeout(contained(readLater, onFailure), retryMs);
      if (!isRefused) tellFailure(error, onFailure);
      isRefused = true;
    }
  };
  const readAtPace = (): void => {
    const waitMs = sandbox.pace.next(performance.now());
    if (waitMs === 0) {
      read(sandbox);
      return;
    }
    sandbox.unwatch();
    sandbox.readTimer = setTimeout(contained(readLater, onFailure), waitMs);
  };
  const readLater = (): void => {
    // What the reading makes fail must not keep the next change from being read.
    watch();
    read(sandbox);
  };
  watch();
}
