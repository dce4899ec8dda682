// The boundary around what comes from outside: a message, a packet, an event whose work fails ends nothing but itself.

/** Does the work; `onFailure` is called with whatever it throws, or rejects with, and must not throw itself. */
export function contain(work: () => void | Promise<void>, onFailure: (error: unknown) => void): void {
  try {
    work()?.catch(onFailure);
  } catch (error) {
    onFailure(error);
  }
}
