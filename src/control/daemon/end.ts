// What ends a running daemon: a signal, or a part that it cannot go on without. Either may come while it still starts.

export interface End {
  /** The daemon is to stop. */
  ask(): void;
  /** The daemon cannot go on. */
  fail(error: Error): void;
  /** @throws the failure, if there has been one */
  assertNotFailed(): void;
  /** Resolves when the daemon is to stop. @throws the failure */
  reached(): Promise<void>;
}

/** Whatever comes first counts. */
export function createEnd(): End {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let isAsked = false;
  let failure: Error | undefined;
  // A failure that nothing awaits yet would end the process on the spot, without its cleanup.
  promise.catch(() => undefined);
  return {
    ask() {
      isAsked = true;
      resolve();
    },
    fail(error) {
      if (!isAsked) failure ??= error;
      reject(error);
    },
    assertNotFailed() {
      if (failure !== undefined) throw failure;
    },
    reached: () => promise,
  };
}
