// Waits for a network that has just been made.

import { contain } from "../../core/contain.ts";
import { shortId } from "../../core/model/topology.ts";
import { DockerwallError } from "../../errors.ts";
import type { Reporter } from "../reporter.ts";

const withinMs = 10_000;

/** @throws DockerwallError NOT_ENFORCED after ten seconds */
export async function untilEnforced(
  id: string,
  { isEnforced, changes }: Pick<Reporter, "isEnforced" | "changes">,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const check = (): void =>
    contain(() => {
      if (isEnforced(id)) resolve();
    }, reject);
  const message = `network ${shortId(id)} is not enforced after ${withinMs / 1000} s; see dockerwall status`;
  const timer = setTimeout(() => reject(new DockerwallError("NOT_ENFORCED", message)), withinMs);
  changes.addEventListener("change", check);
  check();
  await promise.finally(() => {
    clearTimeout(timer);
    changes.removeEventListener("change", check);
  });
}
