// What people tell the daemon. What it takes must be remembered; what it refuses must have changed nothing; and one that
// is uninstalled says so.

import assert from "node:assert/strict";
import { isInForce } from "../../../src/core/model/state.ts";
import { renderOverride, withNegation } from "../../../src/core/policy/override.ts";
import type { Random } from "../seeded.ts";
import type { HostContainer } from "./host.ts";
import { type Chance, pickOf, type Step, type World } from "./step.ts";

const targets = [
  { kind: "network", name: "app" },
  { kind: "network", name: "db" },
  { kind: "container", name: "web" },
  { kind: "container", name: "worker" },
] as const;
const entries = ["a.example.com", "203.0.113.0/24", "host:5432/tcp", "host:22/tcp", "2001:db8:f::/48"];

/** Gives a command to the daemon that is there to take it; resolves to whether it was taken. */
async function give(
  world: World,
  command: (daemon: NonNullable<World["daemon"]>) => Promise<unknown>,
): Promise<boolean> {
  const { daemon } = world;
  if (daemon === undefined) return false;
  // Names are those that the engine has told of.
  daemon.tell();
  const { state } = daemon.lifecycle;
  const refused = await world.command(command(daemon));
  assert.ok(refused !== undefined || isInForce(state), `a daemon that is ${state} takes a command`);
  return refused === undefined;
}

function override(verb: "allow" | "deny", seconds: (random: Random) => number | undefined): Step {
  return async (world, { random }) => {
    const target = pickOf(targets, random) ?? targets[0];
    const entry = pickOf(entries, random) ?? "";
    const forSeconds = seconds(random);
    const written = withNegation(entry, verb === "deny") ?? "";
    world.story.push(
      `  ${renderOverride({ target, entry: written, endsAtMs: forSeconds })} ${forSeconds ?? ""}`,
    );
    const endsAtMs = forSeconds === undefined ? undefined : Date.now() + forSeconds * 1_000;
    const request = { verb, target: `${target.kind}:${target.name}`, entries: [entry], forSeconds };
    if (await give(world, ({ api }) => api.changeOverrides(request)))
      world.memory.add(target, written, endsAtMs);
  };
}

function chosen(world: World, random: Random): Pick<HostContainer, "id" | "name"> {
  const container = pickOf([...world.host.containers.values()], random) ?? { id: "", name: "nobody" };
  world.story.push(`  ${container.name}`);
  return container;
}

async function quarantine(world: World, { random }: Chance): Promise<void> {
  const { id, name } = chosen(world, random);
  if (!(await give(world, ({ api }) => api.quarantine({ container: name })))) return;
  world.memory.quarantine.add(id);
  world.changed(false);
}

/** It is let back before the command is answered. */
async function release(world: World, { random }: Chance): Promise<void> {
  const { id, name } = chosen(world, random);
  const before = world.memory.quarantine.delete(id);
  world.changed(false);
  const isTaken = await give(world, ({ api }) => api.release({ container: name }));
  if (before && !isTaken) world.memory.quarantine.add(id);
  world.changed(false);
}

export const commandSteps: Readonly<Record<string, Step>> = {
  "allow for a while": override("allow", (random) => pickOf([2, 7, 20, 60], random)),
  allow: override("allow", () => undefined),
  deny: override("deny", (random) => pickOf([undefined, undefined, 10], random)),
  undo: async (world, { random }) => {
    const target = pickOf(targets, random) ?? targets[0];
    const entry = pickOf(entries, random) ?? "";
    world.story.push(`  ${target.kind} ${target.name} ${entry}`);
    const request = { target: `${target.kind}:${target.name}`, entries: [entry], forSeconds: undefined };
    if (await give(world, ({ api }) => api.changeOverrides({ ...request, verb: "undo" })))
      world.memory.remove(target, entry);
  },
  quarantine,
  release,
  uninstall: (world) => world.uninstall(),
};
