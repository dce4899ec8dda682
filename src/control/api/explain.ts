// The control plane's part of `explain`: the data plane's decision, with what the kernel holds and which flows there are.

import type { Classification } from "../../core/classify/networks.ts";
import { hostMembers } from "../../core/firewall/host-entries.ts";
import { connectionMark, setNames } from "../../core/firewall/names.ts";
import { renderDenied } from "../../core/journal/drops.ts";
import { type Family, familyOf, type IpAddress, prefixContains } from "../../core/model/address.ts";
import type { ExplainRequest } from "../../core/model/control-api.ts";
import type { Explanation } from "../../core/model/explanation.ts";
import type { ExplainReport } from "../../core/model/report.ts";
import { type ExplainTarget, parseTarget } from "../../core/policy/target.ts";
import type { Flow } from "../../edge/kernel/flows/flow-message.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import { DockerwallError } from "../../errors.ts";
import { findContainer } from "./find-container.ts";
import type { Present } from "./in-force.ts";

export interface ExplanationSources {
  readonly sets: KernelSets;
  /** The tracked flows of a family. */
  readonly flows: (family: Family) => readonly Flow[];
  /** The data plane's decision. */
  readonly explain: (addresses: readonly IpAddress[], target: ExplainTarget) => Promise<Explanation>;
  readonly hostAddresses: () => readonly IpAddress[];
}

interface Local {
  /** All of the container's addresses, and those on guarded networks. */
  readonly addresses: readonly IpAddress[];
  readonly askers: ReadonlySet<IpAddress>;
  readonly classification: Classification;
}

/** Explains packets that the allowlist never judges: to the host, where separate sets decide, and to neighbours. */
function explainLocally(
  { address, port = 0, ipProtocol }: ExplainTarget,
  { askers, classification }: Local,
  { hostAddresses }: ExplanationSources,
): Explanation | undefined {
  if (address === undefined || askers.size === 0) return undefined;
  const homes = classification.guarded.filter(({ subnets }) =>
    subnets.some((subnet) => [...askers].some((asker) => prefixContains(subnet, asker))),
  );
  const said = {
    allowed: true,
    audit: homes.some(({ labels }) => labels.mode === "audit"),
    networks: homes.map(({ name }) => name),
    by: undefined,
    names: [],
    answers: [],
    secondsLeft: undefined,
  };
  if (hostAddresses().includes(address)) {
    const matching = hostMembers(classification).filter(
      ({ prefix, service }) =>
        service.port === port &&
        service.protocol === ipProtocol &&
        [...askers].some((asker) => prefixContains(prefix, asker)),
    );
    const allowed = matching.length > 0 && !matching.some(({ exception }) => exception === true);
    return { ...said, allowed, reason: "host" };
  }
  const near = homes.some(({ subnets }) => subnets.some((subnet) => prefixContains(subnet, address)));
  return near ? { ...said, reason: "neighbour" } : undefined;
}

/** Entries and flows between these. */
interface Scope {
  readonly askers: ReadonlySet<IpAddress>;
  readonly destinations: ReadonlySet<string>;
}

/** @throws DockerwallError BAD_ENTRY, NOT_FOUND */
export async function explainTarget(
  { container: name, target: text }: ExplainRequest,
  { topology, classification, quarantine }: Present,
  sources: ExplanationSources,
): Promise<ExplainReport> {
  const container = findContainer(topology, name);
  const target = parseTarget(text);
  if ("problem" in target) throw new DockerwallError("BAD_ENTRY", target.problem);
  const addresses = container.endpoints.flatMap((endpoint) => endpoint.addresses);
  if (addresses.length === 0) {
    throw new DockerwallError(
      "NOT_FOUND",
      `container ${JSON.stringify(container.name)} has no address: start it, or name the container whose network it shares`,
    );
  }
  const guarded = new Set(classification.guarded.map(({ id }) => id));
  const askers = new Set(
    container.endpoints
      .filter(({ networkId }) => guarded.has(networkId))
      .flatMap((endpoint) => endpoint.addresses),
  );
  const explanation =
    explainLocally(target, { addresses, askers, classification }, sources) ??
    (await sources.explain(addresses, target));
  const destinations = new Set<string>([
    ...(target.address === undefined ? [] : [target.address]),
    ...explanation.answers.flatMap((answer) => answer.addresses),
  ]);
  const quarantined = quarantine.has(container.id);
  return {
    ...explanation,
    // In quarantine neither an entry nor audit mode lets anything pass, not even to its neighbours.
    allowed: explanation.allowed && !quarantined,
    audit: explanation.audit && !quarantined,
    container: container.name,
    target: text,
    quarantined,
    entries: kernelEntries({ askers, destinations }, sources),
    flows: openFlows({ askers, destinations }, sources),
  };
}

function kernelEntries(
  { askers, destinations }: Scope,
  { sets }: ExplanationSources,
): ExplainReport["entries"] {
  const names = {
    grant: [setNames.grant4, setNames.grant6],
    pair: [setNames.pair4, setNames.pair6],
  } as const;
  return (["grant", "pair"] as const).flatMap((set) =>
    names[set].flatMap((name) =>
      sets.list(name).flatMap(({ key, comment = "", timeoutSeconds = 0, packets = 0 }) => {
        if (key.kind !== "ip-port-ip" || !askers.has(key.second) || !destinations.has(key.first)) return [];
        const service = set === "pair" ? (comment.split(" ")[0] ?? "") : renderDenied(key.protocol, key.port);
        return [{ set, destination: key.first, service, comment, secondsLeft: timeoutSeconds, packets }];
      }),
    ),
  );
}

function openFlows({ askers, destinations }: Scope, sources: ExplanationSources): ExplainReport["flows"] {
  const families = new Set([...askers].map(familyOf));
  return [...families].flatMap((family) =>
    sources.flows(family).flatMap(({ original, reply, mark }) => {
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
