// What `status` warns of about a container or a network, by the words with which its label accepts it.

import type { Hazard } from "../model/topology.ts";

/** Entries that allow more than they seem. */
export type EntryWarned = "public-suffix" | "wide-prefix";

export type ContainerWarned = Hazard | "second-network" | "dns" | "foreign-interface" | EntryWarned;

export type NetworkWarned = EntryWarned | "nat-unprotected" | "overlap" | "audit";

/** A warning that a label may accept. */
export interface Warning<Word extends string> {
  readonly word: Word;
  /** One. */
  readonly sentence: string;
}

/** The sentences of those that a label does not accept. */
export function unaccepted<Word extends string>(
  warnings: readonly Warning<Word>[],
  { accept }: { readonly accept: readonly Word[] },
): string[] {
  return warnings.flatMap(({ word, sentence }) => (accept.includes(word) ? [] : [sentence]));
}

/** In the order of the README. Every hazard has its word. */
const ofContainers: Readonly<Record<ContainerWarned, true>> = {
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
  "public-suffix": true,
  "wide-prefix": true,
};

const ofNetworks: Readonly<Record<NetworkWarned, true>> = {
  "public-suffix": true,
  "wide-prefix": true,
  "nat-unprotected": true,
  overlap: true,
  audit: true,
};

export const containerWords = Object.keys(ofContainers) as readonly ContainerWarned[];
export const networkWords = Object.keys(ofNetworks) as readonly NetworkWarned[];
