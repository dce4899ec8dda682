// Reads the addresses of a sandbox whenever they change, but not as often as its container can change them.

import { contained, type OnFailure } from "../../core/contain.ts";
import type { Readiness } from "../kernel/readiness.ts";
import type { Sandbox } from "./sandbox.ts";

export interface AddressWatchOptions {
  readonly readiness: Readiness;
  readonly read: (sandbox: Sandbox) => void;
  readonly onFailure: OnFailure;
}

/** Watches until the sandbox is closed. */
export function watchAddresses(sandbox: Sandbox, options: AddressWatchOptions): void {
  const { readiness, read, onFailure } = options;
  const watch = (): void => {
    sandbox.unwatch = readiness.watch(sandbox.addressFd, contained(readAtPace, onFailure));
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
