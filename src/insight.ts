// The control plane's answers to `explain`, `suggest` and `replay`: what was seen, what the kernel holds, and the
// enforcer's own decisions, joined.

import { AskerIndex, decideForAll } from "./dns/asker.ts";
import { isNeverOutside } from "./dns/private.ts";
import { DockerwallError } from "./errors.ts";
import type { Classification, ClassifiedNetwork } from "./firewall/classify.ts";
import { allowLabel } from "./firewall/labels.ts";
import { connectionMark, setNames } from "./firewall/names.ts";
import type { Flow } from "./io/conntrack.ts";
import type { KernelSets } from "./io/ipset.ts";
import { type DeniedEntry, renderDenied } from "./journal/drops.ts";
import type { LookupJournal } from "./journal/lookups.ts";
import { observe } from "./journal/observed.ts";
import { replay } from "./journal/replay.ts";
import { suggest } from "./journal/suggest.ts";
import { unusedEntries } from "./journal/usage.ts";
import { addressBytes, familyOf, type IpAddress, parseAddress, prefixContains } from "./model/address.ts";
import type { Explanation } from "./model/planes.ts";
import type { ExplainReport, ExplainRequest, ReplayReport, SuggestReport } from "./model/report.ts";
import type { Topology } from "./model/topology.ts";
import { parseAllowlist, renderProblem } from "./policy/allowlist.ts";
import { addressRights, decideName, decidePacket } from "./policy/decide.ts";
import { digestOf } from "./policy/digest.ts";
import { compileList } from "./policy/entry-list.ts";
import { describeEntry, type Presets } from "./policy/preset.ts";
import { parseTarget, type Target } from "./policy/target.ts";
import { findContainer } from "./targets.ts";

export interface InsightOptions {
  readonly sets: KernelSets;
  readonly journal: LookupJournal;
  readonly sinceMs: number;
  /** The tracked flows of a family. */
  readonly flows: (family: 4 | 6) => readonly Flow[];
  readonly hostAddresses: () => readonly IpAddress[];
  readonly explain: (addresses: readonly IpAddress[], target: Target) => Promise<Explanation>;
}

/** What is in force. */
export interface Present {
  readonly topology: Topology;
  readonly classification: Classification;
  readonly quarantine: ReadonlySet<string>;
  readonly presets: Presets;
  readonly nowMs: number;
}

export interface Insight {
  explain(request: ExplainRequest, present: Present): Promise<ExplainReport>;
  suggest(network: string, present: Present): SuggestReport;
  replay(request: { readonly network: string; readonly allow: string }, present: Present): ReplayReport;
}

export function createInsight(options: InsightOptions): Insight {
  const { sets, journal } = options;

  function observation(network: ClassifiedNetwork, { topology, nowMs }: Present): ReturnType<typeof observe> {
    journal.learn(topology);
    const mine = ({ asker }: DeniedEntry): boolean =>
      network.subnets.some((subnet) => prefixContains(subnet, asker));
    const comments = new Map<string, string>();
    const granted = [setNames.grant4, setNames.grant6].flatMap((name) =>
      sets.list(name).flatMap((listed): DeniedEntry[] => {
        if (listed.key.kind !== "ip-port-ip") return [];
        const { first: destination, second: asker, protocol, port } = listed.key;
        comments.set(`${asker} ${destination}`, listed.comment ?? "");
        const { packets = 0, bytes = 0 } = listed;
        return [{ asker, destination, protocol, port, packets, bytes }];
      }),
    );
    const denied = [setNames.denied4, setNames.denied6].flatMap((name) =>
      sets.list(name).flatMap(({ key, packets = 0, bytes = 0 }): DeniedEntry[] => {
        if (key.kind !== "ip-port-ip") return [];
        return [
          {
            asker: key.first,
            destination: key.second,
            protocol: key.protocol,
            port: key.port,
            packets,
            bytes,
          },
        ];
      }),
    );
    const tallies = journal.tallies(nowMs).filter(({ networkId }) => networkId === network.id);
    const namesOf = new Map<IpAddress, ReadonlyMap<string, readonly string[]>>();
    return observe(tallies, denied.filter(mine), granted.filter(mine), {
      containerOf: (asker) => journal.containerAt(network.id, asker),
      namesOf(asker, destination) {
        const names = namesOf.get(asker) ?? journal.namesByAddress(network.id, asker);
        namesOf.set(asker, names);
        const comment = comments.get(`${asker} ${destination}`);
        return names.get(destination) ?? (comment === undefined || comment === destination ? [] : [comment]);
      },
    });
  }

  function kernelEntries(
    askers: ReadonlySet<IpAddress>,
    destinations: ReadonlySet<string>,
  ): ExplainReport["entries"] {
    const names = {
      grant: [setNames.grant4, setNames.grant6],
      pair: [setNames.pair4, setNames.pair6],
    } as const;
    return (["grant", "pair"] as const).flatMap((set) =>
      names[set].flatMap((name) =>
        sets.list(name).flatMap(({ key, comment = "", timeoutSeconds = 0, packets = 0 }) => {
          if (key.kind !== "ip-port-ip" || !askers.has(key.second) || !destinations.has(key.first)) return [];
          const service =
            set === "pair" ? (comment.split(" ")[0] ?? "") : renderDenied(key.protocol, key.port);
          return [{ set, destination: key.first, service, comment, secondsLeft: timeoutSeconds, packets }];
        }),
      ),
    );
  }

  function openFlows(
    askers: ReadonlySet<IpAddress>,
    destinations: ReadonlySet<string>,
  ): ExplainReport["flows"] {
    const families = new Set([...askers].map(familyOf));
    return [...families].flatMap((family) =>
      options.flows(family).flatMap(({ original, reply, mark }) => {
        if (!askers.has(original.source) || !destinations.has(reply.source)) return [];
        return [
          {
            service: renderDenied(reply.ipProtocol, reply.sourcePort),
            sourcePort: original.sourcePort,
            destination: reply.source,
            admitted: (mark & connectionMark.mask) === connectionMark.admitted,
          },
        ];
      }),
    );
  }

  return {
    async explain({ container: name, target: text }, { topology, classification, quarantine }) {
      const container = findContainer(topology, name);
      const target = parseTarget(text);
      if ("problem" in target) throw new DockerwallError("BAD_ENTRY", target.problem);
      const addresses = container.endpoints.flatMap((endpoint) => endpoint.addresses);
      if (addresses.length === 0) {
        throw new DockerwallError(
          "NOT_FOUND",
          `container ${JSON.stringify(container.name)} has no address: it does not run, or shares another's network`,
        );
      }
      const guarded = new Set(classification.guarded.map(({ id }) => id));
      const askers = new Set(
        container.endpoints
          .filter(({ networkId }) => guarded.has(networkId))
          .flatMap((endpoint) => endpoint.addresses),
      );
      const explanation = await options.explain(addresses, target);
      const destinations = new Set<string>([
        ...(target.address === undefined ? [] : [target.address]),
        ...explanation.answers.flatMap((answer) => answer.addresses),
      ]);
      return {
        ...explanation,
        container: container.name,
        target: text,
        quarantined: quarantine.has(container.id),
        entries: kernelEntries(askers, destinations),
        flows: openFlows(askers, destinations),
      };
    },

    suggest(name, present) {
      const network = findNetwork(name, present);
      const { topology, nowMs } = present;
      const seen = observation(network, present);
      const index = indexOf(present);
      const policies = policiesOf(
        index,
        network,
        seen.lookups.map(({ asker }) => asker),
      );
      const host = new Set(options.hostAddresses());
      const { entries, leftOut } = suggest(seen, {
        allowsName: (domain) => policies.every((policy) => decideName(policy, domain, nowMs).allowed),
        takenBy: ({ name: domain, address }) => {
          for (const policy of policies) {
            const byName = domain === undefined ? undefined : decideName(policy, domain, nowMs);
            const [taken] = [
              ...(byName !== undefined && !byName.allowed ? byName.by : []),
              ...(address === undefined ? [] : addressRights(policy, address, nowMs).taken),
            ];
            if (taken !== undefined) return `${describeEntry(taken.entry)} (${taken.source})`;
          }
          return undefined;
        },
        isHost: (address) => host.has(address),
        unfit: (address) =>
          isNeverOutside(addressBytes(address))
            ? "link-local, multicast and broadcast addresses are never suggested"
            : undefined,
      });
      const labels = topology.networks.find(({ id }) => id === network.id)?.labels ?? {};
      const [own] = network.lists;
      return {
        network: network.name,
        composeKey: labels["com.docker.compose.network"],
        mode: network.audit ? "audit" : "enforce",
        sinceMs: options.sinceMs,
        present: labels[allowLabel] ?? "",
        added: entries,
        leftOut,
        unused: own === undefined ? [] : unusedEntries(compileList(own), own.entries, seen),
      };
    },

    replay({ network: name, allow }, present) {
      const network = findNetwork(name, present);
      const { classification, topology, presets, nowMs } = present;
      const parsed = parseAllowlist(allow, presets);
      if (!parsed.ok) {
        throw new DockerwallError(
          "BAD_ENTRY",
          parsed.problems.map((problem) => renderProblem("--allow", problem)).join("\n"),
        );
      }
      const proposed = {
        id: -1,
        source: "--allow",
        entries: parsed.entries,
        digest: digestOf(parsed.entries.map(describeEntry)),
        endsAtMs: undefined,
      };
      const guarded = classification.guarded.map((known) =>
        known.id === network.id ? { ...known, lists: [proposed, ...known.lists.slice(1)] } : known,
      );
      const index = new AskerIndex({
        topology,
        guarded,
        services: classification.containers.services,
        quarantined: [],
      });
      const seen = observation(network, present);
      const membershipsOf = (asker: string) => {
        const address = parseAddress(asker);
        const standing = address === undefined ? undefined : index.standingOfSource(address);
        return standing?.kind === "guarded" ? standing.memberships : [];
      };
      const rows = replay(seen, {
        allowsName: (asker, domain) => decideForAll(membershipsOf(asker), domain, nowMs).allowed,
        judge: (asker, packet, names) => {
          const mine = membershipsOf(asker).find(({ networkId }) => networkId === network.id);
          if (mine === undefined) return { allowed: false, by: undefined, name: undefined };
          return decidePacket(mine.policy, packet, names, nowMs);
        },
      });
      return { network: network.name, sinceMs: options.sinceMs, rows };
    },
  };
}

function indexOf({ topology, classification, quarantine }: Present): AskerIndex {
  const { guarded, containers } = classification;
  return new AskerIndex({ topology, guarded, services: containers.services, quarantined: [...quarantine] });
}

/** The policies of everybody on the network who was seen; the network's own when nobody was. */
function policiesOf(index: AskerIndex, network: ClassifiedNetwork, askers: readonly string[]) {
  const found = [...new Set(askers)].flatMap((asker) => {
    const address = parseAddress(asker);
    const standing = address === undefined ? undefined : index.standingOfSource(address);
    const memberships = standing?.kind === "guarded" ? standing.memberships : [];
    return memberships.filter(({ networkId }) => networkId === network.id).map(({ policy }) => policy);
  });
  return found.length > 0
    ? [...new Set(found)]
    : [{ network: network.name, lists: network.lists.map(compileList) }];
}

function findNetwork(name: string, { classification }: Present): ClassifiedNetwork {
  const found = classification.guarded.find((network) => network.name === name || network.id === name);
  if (found !== undefined) return found;
  throw new DockerwallError(
    "NOT_FOUND",
    `there is no guarded network ${JSON.stringify(name)}; see dockerwall status`,
  );
}
