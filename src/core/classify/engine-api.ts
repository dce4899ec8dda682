// Who is given an engine's API over TCP. Without TLS it asks nobody who they are, and it starts containers with whatever
// they want of its host: it is the Docker socket by another way.

import { type Service, serviceCovers } from "../model/service.ts";
import { type Entry, renderEntry } from "../policy/entry.ts";
import type { EntryList } from "../policy/entry-list.ts";

/** By custom: plain, and with TLS. */
const apiPorts = [2375, 2376] as const;
const tcp = 6;

/** What clients of Docker and of Podman read. */
const clientVariable = /^(DOCKER|CONTAINER)_HOST=(tcp|https?):\/\//i;
const apiAddress = /\btcp:\/\/[^\s/]+:237[56](?!\d)/i;

/** Whether a variable, as NAME=VALUE, names an engine that is reached over TCP. */
export function pointsAtEngine(variable: string): boolean {
  return clientVariable.test(variable) || apiAddress.test(variable);
}

/**
 * The first entry that leads to a port of an engine's API, as it is written: each such port of the host, unless another
 * entry takes it away; of others only where the port is named, as it may be anything within a wide range.
 */
export function entryToEngine(lists: readonly EntryList[]): string | undefined {
  if (lists.some(({ closes }) => closes === true)) return undefined;
  const entries = lists.flatMap((list) => list.entries);
  const taken = entries.filter(({ kind, negated }) => kind === "host" && negated);
  const isOpen = (entry: Entry, port: number): boolean =>
    leadsTo(entry, port) && !(entry.kind === "host" && taken.some((each) => leadsTo(each, port)));
  const found = entries.find((entry) => !entry.negated && apiPorts.some((port) => isOpen(entry, port)));
  return found && renderEntry(found);
}

function leadsTo(entry: Entry, port: number): boolean {
  const service = entry.kind === "host" ? hostService(entry) : entry.service;
  if (entry.kind !== "host" && !isNamed(service)) return false;
  return serviceCovers(service, tcp, port);
}

function hostService({ protocol, from, to }: Extract<Entry, { readonly kind: "host" }>): Service {
  return { protocol, ports: { from, to } };
}

function isNamed({ ports }: Service): boolean {
  return ports !== "any" && ports.from >= apiPorts[0] && ports.to <= apiPorts[1];
}
