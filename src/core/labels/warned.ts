// What `status` warns of about a container, by the words with which its label accepts it.

import type { Hazard } from "../model/topology.ts";

export type Warned = Hazard | "second-network" | "dns" | "foreign-interface";

/** In the order of the README. Every hazard has its word. */
const words: Readonly<Record<Warned, true>> = {
  "second-network": true,
  dns: true,
  "foreign-interface": true,
  "docker-socket": true,
  "engine-api": true,
  privileged: true,
  "host-network": true,
  "host-pid": true,
  "net-admin": true,
  "sys-admin": true,
  kernel: true,
  "host-files": true,
  "host-devices": true,
};

export const warnedWords = Object.keys(words) as readonly Warned[];
