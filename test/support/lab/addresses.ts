// The address plan. Everything is out of documentation and benchmark ranges, and exists in namespaces only.

/** Addresses in the fake internet that have a meaning. All others in `localRanges` answer HTTP(S), echo and ping as well. */
export const internetAddresses = {
  /** The authoritative server that plays the site's resolver too. */
  resolver: "198.51.100.53",
  resolver6: "2001:db8:1::53",
  /** Answers everything, on ports 53 and 5353, with `bait`. */
  evil: "203.0.113.66",
  evil6: "2001:db8:2::66",
  bait: "203.0.113.67",
  bait6: "2001:db8:2::67",
  /** Where queries below the delegated names go (zones.ts). */
  tunnels: "203.0.113.71",
} as const;

/** Every address in here is local to the internet: TCP servers answer on each. */
export const localRanges: readonly string[] = ["203.0.113.0/24", "198.51.100.0/24", "198.18.128.0/17"];
export const localRanges6: readonly string[] = ["2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:b::/48"];

/** UDP must answer from the address that was asked, so it is bound to each of these one by one. */
export const udpAddresses: readonly string[] = [
  ...Array.from({ length: 254 }, (_, index) => `203.0.113.${index + 1}`),
  ...Array.from({ length: 20 }, (_, index) => `198.51.100.${index + 10}`),
  ...Array.from({ length: 32 }, (_, index) => `2001:db8:1::${(index + 1).toString(16)}`),
  ...Array.from({ length: 32 }, (_, index) => `2001:db8:2::${(index + 1).toString(16)}`),
].filter((address) => !Object.values<string>(internetAddresses).slice(0, 4).includes(address));

/** Ports of the servers, the same on every address. */
export const ports = { http: [80, 8080], https: [443, 8443], echo: [7, 9000], evilDns: [53, 5353] } as const;

/** Both ends of the link between an engine's host and the internet, and what the host's containers may be given. */
export type LinkPlan = {
  readonly host: string;
  readonly host6: string;
  readonly gateway: string;
  readonly gateway6: string;
  /** Routed to the host, so that containers may have global addresses without translation. */
  readonly prefix6: string;
};

/** The plan of the n-th link, counted from 1. */
export function linkPlan(n: number): LinkPlan {
  return {
    host: `198.18.${n}.2`,
    gateway: `198.18.${n}.1`,
    host6: `2001:db8:f${n}::2`,
    gateway6: `2001:db8:f${n}::1`,
    prefix6: `2001:db8:e${n}00::/40`,
  };
}
