// What the kernel lets containers reach now, from the sets that the rules use.

import { setNames } from "../../core/firewall/names.ts";
import { parseComment } from "../../core/grants/comment.ts";
import { askerSets, type KernelRight } from "../../core/grants/entry-index.ts";
import type { IpAddress } from "../../core/model/address.ts";
import { type Service, serviceAtPort, serviceGrants } from "../../core/model/service.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { ListedEntry } from "../../edge/kernel/ipset/message.ts";

/** The rights of these askers. Takes about 8 µs for each entry of any asker. */
export function listRights(
  sets: Pick<KernelSets, "list">,
  askers: ReadonlySet<IpAddress>,
): readonly KernelRight[] {
  return askerSets.flatMap((set) =>
    sets
      .list(setNames[set])
      .flatMap(({ key }) => (key.kind === "ip-port-ip" && askers.has(key.second) ? [{ set, key }] : [])),
  );
}

/** From whom to where, as the kernel sees it. */
export interface SentPacket {
  readonly asker: IpAddress;
  readonly destination: IpAddress;
  readonly ipProtocol: number;
  readonly port: number | undefined;
}

/** Whether a lookup has opened the way of a packet. The sets are read once, with the first question. */
export function openNow(sets: Pick<KernelSets, "list">): (packet: SentPacket) => boolean {
  let rights: ReadonlyMap<string, readonly Service[]> | undefined;
  return ({ asker, destination, ipProtocol, port }) => {
    rights ??= readServices(sets);
    const services = rights.get(`${asker} ${destination}`) ?? [];
    return services.some((service) => serviceGrants(service, ipProtocol, port));
  };
}

function readServices(sets: Pick<KernelSets, "list">): ReadonlyMap<string, readonly Service[]> {
  const services = new Map<string, Service[]>();
  for (const set of askerSets) {
    for (const entry of sets.list(setNames[set])) {
      const service = serviceOf(entry);
      if (entry.key.kind !== "ip-port-ip" || service === undefined) continue;
      const key = `${entry.key.second} ${entry.key.first}`;
      services.set(key, [...(services.get(key) ?? []), service]);
    }
  }
  return services;
}

/** A `pair` entry says by its comment what it is a right to; a `grant` entry is one to its own port. */
function serviceOf({ key, comment = "" }: ListedEntry): Service | undefined {
  const right = parseComment(comment);
  if (right !== undefined) return right.service;
  if (key.kind !== "ip-port-ip") return undefined;
  return serviceAtPort(key.protocol, key.port) ?? { protocol: "other", ports: "any" };
}
