// The boundary around what comes from outside: a message, a packet, an event whose work fails ends nothing but itself.

/** Does the work; `onFailure` is called with whatever it throws, or rejects with, and must not throw itself. */
export function contain(work: () => unknown, onFailure: (error: unknown) => void): void {
  try {
    const result = work();
    // Whatever else it returns is nobody's: a handler written in one expression returns the value of that.
    if (result instanceof Promise) result.catch(onFailure);
  } catch (error) {
    onFailure(error);
  }
}
