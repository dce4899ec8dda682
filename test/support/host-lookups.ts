// The host's own lookups, as a program of root's makes them all the time while something else happens on the host.

import type { Engine } from "./lab/engine.ts";
import { type Pulse, startPulse } from "./pulse.ts";

const script = `
const { Resolver } = require("node:dns/promises");
const missed = (askedAt) => (error) => console.log("missed " + askedAt + " " + error.code);
const ask = () => new Resolver({ timeout: 4000, tries: 1 }).resolve4("www.example.com")
  .then(() => console.log("beat"), missed(Date.now()));
setInterval(ask, 100);
`;

/** Starts them, and waits for the first answers. None waits for the one before. */
export function lookUpOnHost(engine: Engine, title: string): Promise<Pulse> {
  return startPulse(engine, title, [process.execPath, "-e", script]);
}
