// The control plane's part of `stats`: what a packet like a denied one would meet now.

import type { ClassifiedNetwork } from "../../../core/classify/networks.ts";
import type { DeniedRecord } from "../../../core/journal/denied-record.ts";
import { namesReader } from "../../../core/journal/lookups.ts";
import { bookedUnder } from "../../../core/journal/report.ts";
import { familyOf } from "../../../core/model/address.ts";
import type { DropEnd } from "../../../core/model/report/stats.ts";
import { shortId } from "../../../core/model/topology.ts";
import { correctionOf, entryOf } from "../../../core/path/change.ts";
import { renderChange } from "../../../core/path/sentence.ts";
import type { PathEnd, PathStep } from "../../../core/path/verdict.ts";
import { renderEntry } from "../../../core/policy/entry.ts";
import { unreadOf } from "../../../core/policy/entry-list/unread.ts";
import { type LabelView, labelView } from "../../../core/suggest/label-view.ts";
import { listsOf } from "../../../core/suggest/lists.ts";
import { type NamesOf, neighbourLookup } from "../../../core/suggest/neighbour-lookup.ts";
import { connectionOf, type SeenConnection } from "../../../core/suggest/observed.ts";
import { epochMs } from "../../../edge/kernel/monotonic.ts";
import type { DataPlaneLink } from "../../../planes/link.ts";
import type { AskersPacket } from "../../../planes/request-table.ts";
import type { History } from "../../history/history.ts";
import type { EndOf } from "../../reporter.ts";
import { type HostSources, insideNow } from "../context/host-now.ts";
import type { InForce } from "../context/in-force.ts";
import { readOpen } from "./open-now.ts";

export interface EndSources extends HostSources {
  readonly history: Pick<History, "lookups" | "namesOf" | "isGone">;
  readonly areOpen: DataPlaneLink["areOpen"];
  /** The shortest life of what a lookup opens. */
  readonly leastLeaseSeconds: number;
}

/**
 * By the lists in force, of the container's own, and by what is open now; nothing of a container that is gone.
 * @param denied all of them, with times since the epoch, as they are reported
 */
export async function endsNow(
  denied: readonly DeniedRecord[],
  inForce: InForce,
  sources: EndSources,
): Promise<EndOf> {
  const { guarded } = inForce.classification;
  const isOpen = await readOpen(denied, inForce.topology, sources.areOpen);
  const ends = new Ends(inForce, sources, isOpen);
  const networkOf = bookedUnder(guarded);
  const networks = new Map(guarded.map((network) => [network.id, network]));
  return (record) => {
    if (record.owner !== undefined && sources.history.isGone(record.owner.containerId)) return undefined;
    const network = networks.get(networkOf(record) ?? "");
    return network && ends.of(record, network);
  };
}

/** Where the lists of a network hold a packet. */
const listSteps: ReadonlySet<PathStep> = new Set(["no-entry", "taken-away", "port"]);

class Ends {
  readonly #inForce: InForce;
  readonly #history: EndSources["history"];
  readonly #leastLeaseMs: number;
  readonly #viewOf: (network: ClassifiedNetwork, containerId: string | undefined) => LabelView;
  readonly #namesOf: NamesOf;
  /** When each container was last answered for a name; read with the first question. */
  #lookedUp: ReadonlyMap<string, number> | undefined;

  constructor(
    inForce: InForce,
    { history, leastLeaseSeconds, ...host }: EndSources,
    isOpen: (packet: AskersPacket) => boolean,
  ) {
    const { classification, topology, quarantine, uptimeMs } = inForce;
    const inside = { ...insideNow({ topology }, host, quarantine), isOpen };
    const views = new Map<string, LabelView>();
    this.#inForce = inForce;
    this.#history = history;
    this.#leastLeaseMs = leastLeaseSeconds * 1000;
    this.#namesOf = namesReader(history.namesOf);
    this.#viewOf = (network, containerId) => {
      const key = `${network.id} ${containerId}`;
      const known = views.get(key);
      if (known !== undefined) return known;
      const view = labelView(network, listsOf(network, containerId, classification), inside, uptimeMs);
      views.set(key, view);
      return view;
    };
  }

  of(record: DeniedRecord, network: ClassifiedNetwork): DropEnd {
    const { owner } = record;
    const connection = connectionOf(record);
    const view = this.#viewOf(network, owner?.containerId);
    const end = view.meets(connection);
    if (end.step === "no-lookup") return { ...end, ...this.#lookedUpAgain(record) };
    if (end.step === "unreadable") return { ...end, ...correction(view) };
    if (owner === undefined || !listSteps.has(end.step)) return end;
    const others = this.#elsewhere(connection, network, owner.containerId);
    const [better] = others;
    if (better !== undefined)
      return {
        ...view.meets(
          connection,
          others.map(({ id }) => id),
        ),
        advice: routeBy(better, view, record),
      };
    const neighbour = connection.names.length > 0 ? {} : this.#neighbour(connection, network, view);
    return { ...end, ...(end.step === "no-entry" ? correction(view) : {}), ...neighbour };
  }

  /**
   * Which name to look up again: the last one that the container was answered for, as its lists allowed it. That its lookup
   * has run out is told only where it had when the packet was dropped: before that, something else has held it, such as an
   * override that has ended since, and nothing remembers what.
   */
  #lookedUpAgain({ owner, domains, lastSeenMs }: DeniedRecord): Pick<DropEnd, "advice" | "lookedUpMs"> {
    this.#lookedUp ??= this.#readLookups();
    const timeOf = (domain: string): number | undefined =>
      this.#lookedUp?.get(`${owner?.containerId} ${domain}`);
    const name = domains.findLast((domain) => timeOf(domain) !== undefined) ?? domains.at(-1) ?? "";
    const atMs = timeOf(name);
    const lookedUpMs = atMs === undefined ? undefined : epochMs(atMs);
    const hadRunOut = lookedUpMs !== undefined && lastSeenMs >= lookedUpMs + this.#leastLeaseMs;
    return {
      advice: renderChange({ kind: "lookup", name }),
      ...(hadRunOut ? { lookedUpMs } : {}),
    };
  }

  #readLookups(): ReadonlyMap<string, number> {
    const times = new Map<string, number>();
    for (const { container, domain, allowed, lastSeenMs } of this.#history.lookups()) {
      if (container === undefined || !allowed) continue;
      const key = `${shortId(container.id)} ${domain}`;
      times.set(key, Math.max(times.get(key) ?? Number.NEGATIVE_INFINITY, lastSeenMs));
    }
    return times;
  }

  /** The other guarded networks of the container that would let it pass, if it left by them. */
  #elsewhere(
    connection: SeenConnection,
    network: ClassifiedNetwork,
    containerId: string,
  ): readonly ClassifiedNetwork[] {
    const { topology, classification } = this.#inForce;
    const container = topology.containers.find(({ id }) => shortId(id) === containerId);
    return (container?.endpoints ?? []).flatMap(({ networkId, addresses }) => {
      const other = classification.guarded.find(({ id }) => id === networkId && id !== network.id);
      const asker = addresses.find((own) => familyOf(own) === familyOf(connection.destination));
      if (other === undefined || asker === undefined) return [];
      return opens(this.#viewOf(other, containerId).meets({ ...connection, asker })) ? [other] : [];
    });
  }

  #neighbour(
    connection: SeenConnection,
    network: ClassifiedNetwork,
    view: LabelView,
  ): Pick<DropEnd, "lookedUpBy"> {
    const { destination, container } = connection;
    const lookedUpBy = neighbourLookup(
      { destination, networkId: network.id, containerId: container?.id ?? "" },
      this.#inForce.topology.containers,
      this.#namesOf,
      (name) => opens(view.meets({ ...connection, names: [name] })),
    );
    return lookedUpBy === undefined ? {} : { lookedUpBy };
  }
}

/** At once, or with a lookup. */
function opens({ verdict, step }: PathEnd): boolean {
  return verdict === "passes" || step === "no-lookup";
}

/** Where a list cannot be read, any entry may be missing for that alone. */
function correction({ policy }: LabelView): Pick<DropEnd, "advice"> {
  const unread = unreadOf(policy.lists);
  return unread === undefined ? {} : { advice: renderChange(correctionOf(unread)) };
}

function routeBy(better: ClassifiedNetwork, { policy }: LabelView, record: DeniedRecord): string {
  const { names, destination, ipProtocol, port } = connectionOf(record);
  const name = record.domains.at(-1);
  const address = names.length === 0 ? destination : undefined;
  const entry = renderEntry(entryOf({ name, address, ipProtocol, port }));
  const { problem } = unreadOf(policy.lists) ?? {};
  return renderChange({ kind: "route", network: better.name, instead: policy.network, entry, problem });
}
