// The part of an address that a grant opens: a protocol and a range of ports.

export type Protocol = "tcp" | "udp";

export interface Service {
  /**
   * `any` means every IP protocol when the ports are `any` too, else TCP and UDP. `other` is every protocol but those
   * two, with ports `any`: nobody writes it, it is what is left of everything when ports of both were taken away.
   */
  readonly protocol: Protocol | "any" | "other";
  /** Inclusive range, 1 to 65535, or every port. */
  readonly ports: "any" | { readonly from: number; readonly to: number };
}

/** Every port and every protocol. */
export const anyService: Service = { protocol: "any", ports: "any" };

/** IP protocol numbers of those that have ports here (IANA protocol numbers). */
export const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17 };

/** IP protocols whose port the kernel's sets and connection tracking read: TCP, UDP, SCTP, UDP-Lite. */
export const portProtocols: ReadonlySet<number> = new Set([6, 17, 132, 136]);

/** One port of TCP or UDP, by the number of the IP protocol; undefined for any other protocol. */
export function serviceAtPort(ipProtocol: number, port: number): Service | undefined {
  const ports = { from: port, to: port };
  if (ipProtocol === protocolNumbers.tcp) return { protocol: "tcp", ports };
  return ipProtocol === protocolNumbers.udp ? { protocol: "udp", ports } : undefined;
}

/** True when a packet of this IP protocol to this port (undefined where the protocol has none) is covered. */
export function serviceCovers(service: Service, ipProtocol: number, port: number | undefined): boolean {
  if (service.protocol === "any" && service.ports === "any") return true;
  const known = ipProtocol === protocolNumbers.tcp || ipProtocol === protocolNumbers.udp;
  if (service.protocol === "other") return !known;
  const protocolFits = service.protocol === "any" ? known : ipProtocol === protocolNumbers[service.protocol];
  if (!protocolFits) return false;
  if (service.ports === "any") return true;
  return port !== undefined && port >= service.ports.from && port <= service.ports.to;
}

/** Of lookups: a packet to it is led to us unless the port is named by itself, beside the server. */
const dnsPort = 53;

/** True for port 53 and no other. */
export function isDnsService({ ports }: Service): boolean {
  return ports !== "any" && ports.from === dnsPort && ports.to === dnsPort;
}

/** True for a packet that is led to us, unless an entry names where it goes with port 53. */
export function isLookup(ipProtocol: number, port: number | undefined): boolean {
  return port === dnsPort && (ipProtocol === protocolNumbers.tcp || ipProtocol === protocolNumbers.udp);
}

/** True when a granted service lets such a packet pass; see serviceCovers(). */
export function serviceGrants(service: Service, ipProtocol: number, port: number | undefined): boolean {
  return serviceCovers(service, ipProtocol, port) && (!isLookup(ipProtocol, port) || isDnsService(service));
}

/** True when both are the same protocol and ports, however they came about. */
export function isSameService(a: Service, b: Service): boolean {
  if (a.protocol !== b.protocol) return false;
  if (a.ports === "any" || b.ports === "any") return a.ports === b.ports;
  return a.ports.from === b.ports.from && a.ports.to === b.ports.to;
}

/** `443/tcp`, `8000-9000`, `any/udp` or `any`. */
export function renderService(service: Service): string {
  const ports =
    service.ports === "any"
      ? "any"
      : service.ports.from === service.ports.to
        ? `${service.ports.from}`
        : `${service.ports.from}-${service.ports.to}`;
  return service.protocol === "any" ? ports : `${ports}/${service.protocol}`;
}
