// What one container, or all of one Compose service, needs beyond what its label allows: names with the ports that were
// tried, names as far as an address where they may not lead by themselves, addresses where no lookup led there, and
// ports of the host.

import type { IpAddress } from "../model/address.ts";
import { protocolNumbers, type Service } from "../model/service.ts";
import { intersectServices } from "../model/service-set.ts";
import { isNarrow, type LeftOut, whatOf, whyNotConnection, whyNotName } from "./needs/left-out.ts";
import type { NeedsContext } from "./needs-context.ts";
import { noQueryAdvice, type Observation, type SeenConnection, type SeenLookup } from "./observed.ts";
import { writtenServices } from "./written.ts";

export interface Needs {
  /** Services by name; none where no connection was seen. */
  readonly names: ReadonlyMap<string, readonly Service[]>;
  /** The same of names that lead inside, by where they lead. */
  readonly within: ReadonlyMap<string, ReadonlyMap<IpAddress, readonly Service[]>>;
  /** Those of the names that must be written out, whatever wildcard covers them. */
  readonly writtenOut: ReadonlySet<string>;
  readonly addresses: ReadonlyMap<IpAddress, readonly Service[]>;
  readonly hosts: readonly Service[];
  /** Types of records that a label must name. */
  readonly types: ReadonlySet<string>;
  readonly leftOut: readonly LeftOut[];
}

export function findNeeds(seen: Observation, context: NeedsContext): Needs {
  const finder = new NeedsFinder(context);
  for (const connection of seen.connections) finder.connect(connection);
  const lookups = seen.lookups.filter(({ mayExist, trouble }) => mayExist && !unanswered.has(trouble));
  // Which connections there were decides where else names must lead, and those who have no choice come first.
  const inside = seen.lookups.toSorted((a, b) => a.refused.length - b.refused.length || compare(a, b));
  for (const lookup of inside) finder.leadInside(lookup);
  for (const lookup of lookups) finder.lookUp(lookup);
  return finder;
}

/** No entry would get these an answer. */
const unanswered: ReadonlySet<SeenLookup["trouble"]> = new Set(["failed", "internal"]);

class NeedsFinder implements Needs {
  readonly names = new Map<string, Service[]>();
  readonly within = new Map<string, Map<IpAddress, Service[]>>();
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
    const { allows, isHost, isInside } = this.#context;
    const service = serviceOf(connection);
    if (allows(connection)) {
      for (const name of names) push(this.#open, name, service);
      return;
    }
    const why = whyNotConnection(connection, this.#context);
    if (why !== undefined) {
      this.#leaveOut(whatOf(connection), why);
      return;
    }
    const isOfHost = isHost(destination);
    if (isOfHost) this.hosts.push(service);
    else if (names.length === 0) push(this.addresses, destination, service);
    // Any of its names may have been meant; each that is not suggested says why.
    for (const name of names.filter((each) => whyNotName(each, this.#context) === undefined)) {
      if (isInside(destination) && !isOfHost) push(this.#leads(name), destination, service);
      else push(this.names, name, service);
    }
  }

  /** A name that leads to nothing but such addresses is answered only if one of them may be led to. */
  leadInside({ domain, refused }: SeenLookup): void {
    const { servicesOf, isInside } = this.#context;
    if (refused.length === 0 || refused.some((address) => this.#mayLead(domain, address))) return;
    // A wildcard may allow what no entry can name: where that leads is left out with it, before the wildcard and after.
    const whyNot = whyNotName(domain, this.#context);
    if (whyNot !== undefined) {
      this.#leaveOut(domain, whyNot);
      return;
    }
    // One is enough for an answer.
    const [first] = refused.toSorted().filter((address) => this.#isFit(domain, address));
    if (first === undefined) return;
    const known = [
      this.names.get(domain),
      servicesOf(domain),
      this.#open.get(domain),
      // As much as is open there without the name.
      this.#context.isHost(first) ? this.hosts : this.addresses.get(first),
    ].find((services = []) => services.length > 0);
    const services = (known ?? []).filter(isNarrow);
    if (isInside(first)) this.#leads(domain).set(first, services);
    else this.names.set(domain, services);
  }

  /** Follows on all of leadInside(): what is answered inside need not be allowed outside. */
  lookUp(lookup: SeenLookup): void {
    const { domain, type, trouble, refused } = lookup;
    if (trouble === "no-query") {
      this.#leaveOut(domain, noQueryAdvice);
      return;
    }
    const isServed = type === undefined || this.#context.servesType(domain, type);
    const isAnswered = refused.length > 0 || this.#isAnswered(lookup);
    if (isAnswered && isServed) return;
    const why = whyNotName(domain, this.#context);
    if (why !== undefined) {
      this.#leaveOut(domain, why);
      return;
    }
    if (type === "TXT") this.writtenOut.add(domain);
    else if (!isServed) this.types.add(type);
    const isWritten = this.names.has(domain) || (isAnswered && this.within.has(domain));
    // Written out, a name that a wildcard covers opens no more than that does.
    if (isWritten || (isAnswered && type !== "TXT")) return;
    const services = this.#context.servicesOf(domain);
    const inside = [...(this.within.get(domain)?.values() ?? [])].flat();
    this.names.set(
      domain,
      services.length > 0 ? services.filter(isNarrow) : [...(this.#open.get(domain) ?? inside)],
    );
  }

  /** Whether the name is allowed, and leads to one of the addresses that it led to. */
  #isAnswered({ domain, addresses }: SeenLookup): boolean {
    const { servicesOf, takenBy } = this.#context;
    if (servicesOf(domain).length === 0 && !this.within.has(domain)) return false;
    const left = addresses.filter((address) => takenBy({ address }) === undefined);
    return left.length === 0 || left.some((address) => this.#mayLead(domain, address));
  }

  /** By the entries that there are, and those that are needed so far. */
  #mayLead(domain: string, address: IpAddress): boolean {
    const { leadsTo, isHost, servicesOf } = this.#context;
    const within = this.within.get(domain);
    if (within?.has(address) === true) return true;
    const ofName = this.names.get(domain);
    const own = [servicesOf(domain), ...(ofName === undefined ? [] : [writtenServices(ofName)])].flat();
    if (own.length > 0) {
      const ofAddress = this.addresses.get(address);
      const added = {
        name: ofName && writtenServices(ofName),
        address: ofAddress && writtenServices(ofAddress),
      };
      if (leadsTo(domain, address, added)) return true;
    }
    if (!isHost(address) || this.hosts.length === 0) return false;
    const inside = [...(within?.values() ?? [])].flatMap(writtenServices);
    return intersectServices([...own, ...inside], writtenServices(this.hosts)).length > 0;
  }

  #isFit(domain: string, address: IpAddress): boolean {
    const { takenBy, unfit } = this.#context;
    const why = takenBy({ address }) === undefined ? unfit(address) : "it is taken away";
    if (why !== undefined) this.#leaveOut(`${address} (${domain})`, why);
    return why === undefined;
  }

  /** Where the name leads inside. */
  #leads(name: string): Map<IpAddress, Service[]> {
    const known = this.within.get(name) ?? new Map<IpAddress, Service[]>();
    this.within.set(name, known);
    return known;
  }

  #leaveOut(what: string, why: string): void {
    if (!this.leftOut.some((row) => row.what === what && row.why === why)) this.leftOut.push({ what, why });
  }
}

function serviceOf({ ipProtocol, port }: SeenConnection): Service {
  const protocol =
    ipProtocol === protocolNumbers.tcp ? "tcp" : ipProtocol === protocolNumbers.udp ? "udp" : "other";
  if (protocol === "other" || port === undefined) return { protocol: "other", ports: "any" };
  return { protocol, ports: { from: port, to: port } };
}

function push<Key>(map: Map<Key, Service[]>, key: Key, service: Service): void {
  const services = map.get(key);
  if (services === undefined) map.set(key, [service]);
  else services.push(service);
}

/** By name and where it leads. */
function compare(a: SeenLookup, b: SeenLookup): number {
  const key = ({ domain, refused }: SeenLookup): string => [domain, ...refused.toSorted()].join(" ");
  return key(a) < key(b) ? -1 : Number(key(a) > key(b));
}
