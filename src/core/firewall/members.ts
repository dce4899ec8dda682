// The members that the classification demands in the control plane's sets. Grants belong to the data plane and never pass
// through here.

import type { Classification } from "../classify/networks.ts";
import { renderQuarantined } from "../grants/comment.ts";
import {
  anyPrefix,
  type Family,
  familyOf,
  hostPrefix,
  type IpAddress,
  type Prefix,
  renderPrefix,
} from "../model/address.ts";
import { hostMembers } from "./entries/host.ts";
import { resolverMembers } from "./entries/resolver.ts";
import { heldPrefix, setNames } from "./names.ts";

/** One member of a set of the control plane, by the dimensions that its set has beside the prefix. */
export interface Member {
  readonly prefix: Prefix;
  readonly iface?: string;
  readonly service?: { readonly protocol: number; readonly port: number };
  /** Where the prefix is of those who ask it. */
  readonly server?: IpAddress;
  readonly comment?: string;
  /** True for an exception from a wider member (ipset's `nomatch`). */
  readonly exception?: boolean;
}

export interface DesiredSets {
  /** Members by set name. */
  readonly members: ReadonlyMap<string, readonly Member[]>;
  /** Bridge names by list name. */
  readonly lists: ReadonlyMap<string, { readonly family: Family; readonly bridges: readonly string[] }>;
}

/** What the control plane's sets should hold. */
export function desiredSets(classification: Classification): DesiredSets {
  const { openBridges, containers, enslaved } = classification;
  const isWhole = ({ bridge }: { readonly bridge: string }): boolean => !enslaved.has(bridge);
  // Of one that is part of another device only the bridge is named: what comes from there is a stranger's.
  const guarded = classification.guarded.filter(isWhole);
  const addresses = containers.guardedAddresses.filter(isWhole);
  const audited = guarded.filter(({ labels }) => labels.mode === "audit");
  const rejecting = guarded.filter(({ labels }) => labels.deny === "reject");
  const auditedAddresses = addresses.filter(({ audit }) => audit);
  const guardedMembers = [...subnetMembers(guarded), ...addressMembers(addresses)];
  const bySet = {
    // In this order: the range of a new network may be within another one's, and has nothing of what is open from there.
    host: hostMembers(classification).map((member) => ({ ...member, comment: readable(member.comment) })),
    resolver: resolverMembers(classification).map((member) => ({
      ...member,
      comment: readable(member.comment),
    })),
    guarded: guardedMembers,
    ranges: splitZero(guardedMembers.map(({ prefix }) => prefix)).map((prefix) => ({ prefix })),
    audit: [...subnetMembers(audited), ...addressMembers(auditedAddresses)],
    reject: subnetMembers(rejecting),
    static: splitZero(namedPrefixes(classification)).map((prefix) => ({ prefix })),
    published: fewestFirst(containers.published).map(({ address, service, container }) => ({
      prefix: hostPrefix(address),
      service,
      comment: readable(container),
    })),
    quarantine: containers.quarantined.map(({ address, containerId, name }) => ({
      prefix: hostPrefix(address),
      comment: renderQuarantined(containerId, name),
    })),
  } satisfies Record<string, readonly Member[]>;
  const bridges = classification.guarded.map((network) => network.bridge);
  const withIpv6 = guarded.filter(({ subnets }) => subnets.some((subnet) => isOf(6, subnet)));
  const held = openBridges.filter((name) => name.startsWith(heldPrefix));
  return {
    members: new Map(
      (Object.keys(bySet) as (keyof typeof bySet)[]).flatMap((set) =>
        ([4, 6] as const).map((family): [string, readonly Member[]] => [
          setNames[`${set}${family}`],
          (bySet[set] as readonly Member[]).filter(({ prefix }) => isOf(family, prefix)),
        ]),
      ),
    ),
    lists: new Map([
      [setNames.open4, { family: 4, bridges: held }],
      [setNames.open6, { family: 6, bridges: held }],
      [setNames.closed4, { family: 4, bridges }],
      [setNames.closed6, { family: 6, bridges }],
      [setNames.link6, { family: 6, bridges: withIpv6.map((network) => network.bridge) }],
    ]),
  };
}

function isOf(family: Family, { address }: Prefix): boolean {
  return familyOf(address) === family;
}

/** Every subnet of these networks, on the bridge of its network. */
function subnetMembers(networks: Classification["guarded"]): readonly Member[] {
  return networks.flatMap(({ name, bridge, subnets }) =>
    subnets.map((prefix) => ({ prefix, iface: bridge, comment: readable(name) })),
  );
}

/** Addresses of guarded containers on networks that are not guarded. */
function addressMembers(addresses: Classification["containers"]["guardedAddresses"]): readonly Member[] {
  return addresses.map(({ address, bridge, container }) => ({
    prefix: hostPrefix(address),
    iface: bridge,
    comment: readable(container),
  }));
}

/** Of what does not fit, most is of who publishes most: a container with every port shuts out no other one's few. */
function fewestFirst(published: Classification["containers"]["published"]): typeof published {
  const counts = new Map<string, number>();
  for (const { container } of published) counts.set(container, (counts.get(container) ?? 0) + 1);
  return published.toSorted(
    (one, other) => (counts.get(one.container) ?? 0) - (counts.get(other.container) ?? 0),
  );
}

/** Every prefix that a list in force allows. */
function namedPrefixes({ guarded, containers }: Classification): readonly Prefix[] {
  const lists = new Set([...guarded, ...containers.services].flatMap((policy) => policy.lists));
  return [...lists]
    .flatMap(({ entries }) => entries)
    .flatMap((entry) => (entry.kind === "prefix" && !entry.negated ? [entry.prefix] : []));
}

/** A name as a comment that no terminal, quoting or length limit (255 bytes) trips over. */
function readable(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._ -]/g, "?").slice(0, 255);
}

/** A key that two members of one set share exactly when the kernel takes them for the same. */
export function memberKey(member: Member): string {
  const { prefix, iface, service, server, exception } = member;
  const mark = exception === true ? " nomatch" : "";
  const from = server === undefined ? "" : `,${server}`;
  const second = service === undefined ? iface : `${service.protocol}:${service.port}${from}${mark}`;
  return second === undefined ? renderPrefix(prefix) : `${renderPrefix(prefix)},${second}`;
}

/** A bridge name as a member of a chunk. */
export function bridgeMember(bridge: string, family: Family): Member {
  return { prefix: anyPrefix(family), iface: bridge };
}

/** hash:net takes no prefix of length 0; two halves say the same. Duplicates collapse. */
export function splitZero(prefixes: readonly Prefix[]): Prefix[] {
  const halves = prefixes.flatMap((prefix) => {
    if (prefix.length !== 0) return [prefix];
    const upper = familyOf(prefix.address) === 4 ? "128.0.0.0" : "8000::";
    return [
      { address: prefix.address, length: 1 },
      { address: upper as Prefix["address"], length: 1 },
    ];
  });
  return [...new Map(halves.map((prefix) => [renderPrefix(prefix), prefix])).values()];
}
