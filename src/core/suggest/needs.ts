// What one container, or all of one Compose service, needs beyond what its label allows: names with the ports that were
// tried, addresses where no lookup led there or which a name may not lead to by itself, and ports of the host.

import type { IpAddress } from "../model/address.ts";
import { protocolNumbers, type Service } from "../model/service.ts";
import { intersectServices } from "../model/service-set.ts";
import { parseEntry } from "../policy/entry.ts";
import { noQueryAdvice, type Observation, type SeenConnection, type SeenLookup } from "./observed.ts";
import { writtenServices } from "./written.ts";

export interface LeftOut {
  readonly what: string;
  readonly why: string;
}

export interface Needs {
  /** Services by name; none where no connection was seen. */
  readonly names: ReadonlyMap<string, readonly Service[]>;
  /** Those of the names that must be written out, whatever wildcard covers them. */
  readonly writtenOut: ReadonlySet<string>;
  readonly addresses: ReadonlyMap<IpAddress, readonly Service[]>;
  readonly hosts: readonly Service[];
  /** Types of records that a label must name. */
  readonly types: ReadonlySet<string>;
  readonly leftOut: readonly LeftOut[];
}

/** What the lists say that stay as they are: labels and the policy file, but no overrides. */
export interface NeedsContext {
  /** What a name may be reached for already; none for one that is denied. */
  readonly servicesOf: (name: string) => readonly Service[];
  /** Whether records of this type are served for an allowed name already. */
  readonly servesType: (name: string, type: string) => boolean;
  readonly allows: (connection: SeenConnection) => boolean;
  /** The `!` entry that takes this away, as it is written. */
  readonly takenBy: (target: { readonly name?: string; readonly address?: IpAddress }) => string | undefined;
  /** True for an address of the Docker host. */
  readonly isHost: (address: IpAddress) => boolean;
  /** True if no name may lead to the address unless an entry names it (for one of the host: a port of the host). */
  readonly isInside: (address: IpAddress) => boolean;
  /** Whether the name may lead to the address, by the entries that there are and one for these services of the name. */
  readonly leadsTo: (name: string, services: readonly Service[], address: IpAddress) => boolean;
  /** Why the connection would not pass whatever entries there were; undefined when one is enough. */
  readonly whyNever: (connection: SeenConnection) => string | undefined;
  /** Why an address is never suggested; undefined when it may be. */
  readonly unfit: (address: IpAddress) => string | undefined;
}

export function findNeeds(seen: Observation, context: NeedsContext): Needs {
  const finder = new NeedsFinder(context);
  for (const connection of seen.connections) finder.connect(connection);
  for (const lookup of seen.lookups)
    if (lookup.mayExist && !unanswered.has(lookup.trouble)) finder.lookUp(lookup);
  // Which connections there were decides which addresses need no mention of their own, and those who have no choice come
  // before those who have.
  const inside = seen.lookups.toSorted(
    (a, b) => a.refused.length - b.refused.length || (a.domain < b.domain ? -1 : Number(a.domain > b.domain)),
  );
  for (const lookup of inside) finder.leadInside(lookup);
  return finder;
}

/** No entry would get these an answer. */
const unanswered: ReadonlySet<SeenLookup["trouble"]> = new Set(["failed", "internal"]);

class NeedsFinder implements Needs {
  readonly names = new Map<string, Service[]>();
  readonly writtenOut = new Set<string>();
  readonly addresses = new Map<IpAddress, Service[]>();
  readonly hosts: Service[] = [];
  readonly types = new Set<string>();
  readonly leftOut: LeftOut[] = [];
  readonly #context: NeedsContext;
  /** What addresses were tried for that open by themselves, by the names that led there. */
  readonly #open = new Map<string, Service[]>();

  constructor(context: NeedsContext) {
    this.#context = context;
  }

  connect(connection: SeenConnection): void {
    const { destination, names } = connection;
    const service = serviceOf(connection);
    if (this.#context.allows(connection)) {
      for (const name of names) push(this.#open, name, service);
      return;
    }
    const why = this.#whyNot(connection);
    if (why !== undefined) {
      this.#leaveOut(whatOf(connection), why);
      return;
    }
    // Any of its names may have been meant; each that is not suggested says why.
    const fit = names.filter((name) => this.#whyNotName(name) === undefined);
    for (const name of fit) push(this.names, name, service);
    if (this.#context.isHost(destination)) this.hosts.push(service);
    else if (names.length === 0 || (fit.length > 0 && this.#context.isInside(destination)))
      push(this.addresses, destination, service);
  }

  lookUp({ domain, type, trouble }: SeenLookup): void {
    if (trouble === "no-query") {
      this.#leaveOut(domain, noQueryAdvice);
      return;
    }
    const { servicesOf, servesType } = this.#context;
    const services = servicesOf(domain);
    const isServed = type === undefined || servesType(domain, type);
    if (services.length > 0 && isServed) return;
    const why = this.#whyNotName(domain);
    if (why !== undefined) {
      this.#leaveOut(domain, why);
      return;
    }
    if (type === "TXT") this.writtenOut.add(domain);
    else if (!isServed) this.types.add(type);
    // Written out, a name that a wildcard covers opens no more than that does.
    const isNeeded = services.length === 0 || type === "TXT";
    const known = services.length > 0 ? services.filter(isNarrow) : (this.#open.get(domain) ?? []);
    if (isNeeded && !this.names.has(domain)) this.names.set(domain, [...known]);
  }

  /** A name that leads to nothing but such addresses is answered only if one of them may be led to. */
  leadInside({ domain, refused }: SeenLookup): void {
    const { leadsTo, isHost, servicesOf, unfit, takenBy } = this.#context;
    const known = this.names.get(domain);
    const own = [...servicesOf(domain), ...(known === undefined ? [] : writtenServices(known))];
    if (refused.length === 0 || own.length === 0) return;
    const meets = (services: readonly Service[] = []): boolean =>
      intersectServices(own, writtenServices(services)).length > 0;
    const mayLead = (address: IpAddress): boolean =>
      leadsTo(domain, own, address) ||
      (this.addresses.has(address) && meets(this.addresses.get(address))) ||
      (isHost(address) && this.hosts.length > 0 && meets(this.hosts));
    if (refused.some(mayLead)) return;
    // A wildcard may allow what no entry can name: where that leads is left out with it, before the wildcard and after.
    const whyNot = this.#whyNotName(domain);
    if (whyNot !== undefined) {
      this.#leaveOut(domain, whyNot);
      return;
    }
    const services = (known ?? servicesOf(domain)).filter(isNarrow);
    // One is enough for an answer.
    const [first] = refused.toSorted().filter((address) => {
      const why = takenBy({ address }) === undefined ? unfit(address) : "it is taken away";
      if (why !== undefined) this.#leaveOut(`${address} (${domain})`, why);
      return why === undefined;
    });
    if (first === undefined) return;
    const before = this.addresses.get(first);
    // One that is named for every service already needs no more.
    if (before?.length !== 0)
      this.addresses.set(first, services.length === 0 ? [] : [...(before ?? []), ...services]);
  }

  #leaveOut(what: string, why: string): void {
    if (!this.leftOut.some((row) => row.what === what && row.why === why)) this.leftOut.push({ what, why });
  }

  #whyNot(connection: SeenConnection): string | undefined {
    const { destination, ipProtocol } = connection;
    const taken = this.#context.takenBy({ address: destination });
    if (taken !== undefined) return `${taken} takes it away`;
    const known = ipProtocol === protocolNumbers.tcp || ipProtocol === protocolNumbers.udp;
    if (this.#context.isHost(destination))
      return known ? undefined : "only TCP and UDP ports of the host can be allowed";
    return this.#context.unfit(destination) ?? this.#context.whyNever(connection);
  }

  #whyNotName(name: string): string | undefined {
    const taken = this.#context.takenBy({ name });
    if (taken !== undefined) return `${taken} takes it away`;
    if (/\.(?:in-addr|ip6)\.arpa$/.test(name)) return "a reverse lookup of an address that was not open";
    // A container may look up what it likes, also what would be another entry than a name.
    const parsed = parseEntry(name);
    if ("problem" in parsed) return parsed.problem;
    const { entry } = parsed;
    const plain =
      entry.kind === "domain" && entry.scope === "exact" && !entry.negated && entry.domain === name;
    return plain && !isNarrow(entry.service) ? undefined : "it is not the name of anything outside";
  }
}

/** Not every port of every protocol. */
function isNarrow({ protocol, ports }: Service): boolean {
  return protocol !== "any" || ports !== "any";
}

function serviceOf({ ipProtocol, port }: SeenConnection): Service {
  const protocol =
    ipProtocol === protocolNumbers.tcp ? "tcp" : ipProtocol === protocolNumbers.udp ? "udp" : "other";
  if (protocol === "other" || port === undefined) return { protocol: "other", ports: "any" };
  return { protocol, ports: { from: port, to: port } };
}

function whatOf({ destination, names, ipProtocol, port }: SeenConnection): string {
  const service = port === undefined ? `protocol ${ipProtocol}` : `port ${port}`;
  return `${names.length === 0 ? destination : `${destination} (${names.join(", ")})`}, ${service}`;
}

function push<Key>(map: Map<Key, Service[]>, key: Key, service: Service): void {
  const services = map.get(key);
  if (services === undefined) map.set(key, [service]);
  else services.push(service);
}
