// The host's own lookups, as a program of root's makes them all the time while something else happens on the host.

import { readFileSync } from "node:fs";
import { until } from "./lab/command.ts";
import type { Engine } from "./lab/engine.ts";

const script = `
const { Resolver } = require("node:dns/promises");
const ask = (n) => new Resolver({ timeout: 4000, tries: 1 }).resolve4("www.example.com")
  .then(() => console.log("answered"), (error) => console.log("failed " + error.code + " " + Date.now()));
setInterval(ask, 100);
`;

/** A loop of lookups; what came of them. */
export interface HostLookups {
  readonly answered: () => number;
  readonly failed: () => readonly string[];
  readonly stop: () => Promise<void>;
}

/** Starts it and waits for the first answers. */
export async function lookUpOnHost(engine: Engine, title: string): Promise<HostLookups> {
  const loop = engine.background(`${engine.name}-${title}`, [process.execPath, "-e", script]);
  const lines = (): string[] => readFileSync(loop.log, "utf8").split("\n").filter(Boolean);
  const answered = (): number => lines().filter((line) => line === "answered").length;
  await until("answers to the host", 20_000, () => (answered() > 2 ? true : undefined));
  return {
    answered,
    failed: () => lines().filter((line) => line !== "answered"),
    async stop() {
      process.kill(loop.pid, "SIGTERM");
      await until("end of the host's lookups", 10_000, () => (loop.alive() ? undefined : true));
    },
  };
}
