// A host in the internet that works with a container: see accomplice.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../support/lab/command.ts";
import type { Engine } from "../../support/lab/engine.ts";
import type { Lab } from "../../support/lab/lab.ts";
import { repository } from "../../support/lab/repository.ts";
import { delegations } from "../../support/lab/zones.ts";

/** Whom the label of a guarded network names, by ports. */
export const ally = "203.0.113.93";
export const ally6 = "2001:db8:2::5d";
/** Of UDP, where it takes orders; accomplice.py and attack.py have the same. */
export const orderPort = 7000;
/** As whom the accomplice sends; nobody answers there, and no label names them. */
export const far = "203.0.113.94";
export const far6 = "2001:db8:2::5e";

const port = delegations.find(({ domain }) => domain.startsWith("rebind."))?.port ?? assert.fail();

/** Starts the accomplice, which lasts as long as the lab. */
export async function startAccomplice(lab: Lab): Promise<void> {
  const { box, addresses } = lab.internet;
  // What the kernel there answers in its place would end what it begins.
  for (const address of [far, far6])
    await box.command(["ip", "route", "add", "blackhole", address, "table", "local"]);
  const script = join(repository, "test/engine/escapes/accomplice.py");
  const started = box.background("accomplice", [
    "python3",
    "-B",
    script,
    ally,
    addresses.tunnels,
    String(port),
  ]);
  const log = (): string => readFileSync(started.log, "utf8");
  await until(
    "start of the accomplice",
    30_000,
    () => {
      if (!started.alive()) throw new Error(`escapes: the accomplice ended:\n${log()}`);
      return log().includes("ready") ? true : undefined;
    },
    log,
  );
}

/** Has the internet route to a network of containers by their host. */
export async function routeTo(lab: Lab, subnet: string, { link }: Engine): Promise<void> {
  await lab.internet.box.command(["ip", "route", "replace", subnet, "via", link.host]);
}
