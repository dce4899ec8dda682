// Which interfaces of a container's sandbox neither the engine has put there nor the container has made: a network card,
// a macvlan, an end of a pair, a tunnel, that was moved in from elsewhere. What leaves by one meets no rule of the host's.
// The kernel tells:
//
//   IFLA_INFO_KIND     A card has none. It cannot be made inside.
//   IFLA_LINK_NETNSID  An interface has it that stands on one, or sends by one, of another namespace. What is made inside
//                      stands on what is there: what it sends on leaves by that, and is judged there. Only of a pair that
//                      is made inside the other end may go elsewhere, as it does for an engine that runs in a container.
//   the host's list    Which ends of pairs are at the host, and on which bridge each of these is.
//
// Kinds such as tun and wireguard have no IFLA_LINK_NETNSID, wherever they were made. They are the container's own where
// something in its sandbox may make interfaces: so a VPN's are. Elsewhere they count as moved in once they have an address
// that others know: one without is a virtual machine's, which is the container itself (Kata), and sends by the engine's.

/** An interface of a sandbox, as its own kernel tells of it (rtnetlink). */
export interface SandboxInterface {
  readonly index: number;
  readonly name: string;
  /** `veth`, `macvlan`, `tun`, …; undefined for hardware. */
  readonly kind: string | undefined;
  /** The sandbox's number for the namespace that it leads to, where that is another one. */
  readonly peerNamespace: number | undefined;
}

/** What is known of a sandbox beside its interfaces. All of it by their indexes. */
export interface KnownInterfaces {
  /** By which it is on the engine's networks. */
  readonly engines: ReadonlySet<number>;
  /** Of pairs whose other end is the host's. */
  readonly toHost: ReadonlySet<number>;
  /** With addresses by which others know them. */
  readonly addressed: ReadonlySet<number>;
  /** Whether something in it may make interfaces; asked only where it matters. */
  readonly mayMake: () => boolean;
}

/** Those that have an IFLA_LINK_NETNSID when they lead elsewhere, and those that lead nowhere or cannot be moved. */
const localKinds: ReadonlySet<string | undefined> = new Set([
  ...["veth", "netkit", "vxcan", "macvlan", "ipvlan", "vlan", "vxlan", "geneve", "xfrm", "macsec"],
  // The kernel puts one of each of these into every new namespace, where their modules are loaded.
  ...["ipip", "sit", "gre", "gretap", "erspan", "ip6tnl", "ip6gre", "ip6gretap", "ip6erspan", "vti", "vti6"],
  ...["dummy", "bridge", "bond", "team", "vrf", "ifb", "nlmon"],
]);

/** Pairs: of the end that stays, the other one may be moved. */
const pairKinds: ReadonlySet<string> = new Set(["veth", "netkit", "vxcan"]);

/** @param interfaces without the loopback */
export function foreignAmong(
  interfaces: readonly SandboxInterface[],
  { engines, toHost, addressed, mayMake }: KnownInterfaces,
): readonly SandboxInterface[] {
  return interfaces.filter(({ index, kind, peerNamespace }) => {
    if (engines.has(index)) return false;
    if (kind === undefined) return true;
    if (peerNamespace === undefined) return !localKinds.has(kind) && addressed.has(index) && !mayMake();
    return !pairKinds.has(kind) || toHost.has(index) || !mayMake();
  });
}

const mostNamed = 3;

/**
 * What to say of them, and what to do.
 * @param container its name @param isClosed false where its networks only record
 */
export function foreignSentence(
  container: string,
  foreign: readonly SandboxInterface[],
  isClosed: boolean,
): string {
  const named = foreign.slice(0, mostNamed).map(({ name, kind = "hardware" }) => `${name} (${kind})`);
  const more = foreign.length > mostNamed ? [`${foreign.length - mostNamed} more`] : [];
  const what = [...named, ...more].join(", ");
  const effect = isClosed
    ? "nothing leaves by it"
    : "what leaves by it is neither judged nor recorded, as its networks are in audit mode";
  const meant = isClosed ? "to let everything leave by it" : "if it is meant";
  return `container ${JSON.stringify(container)} has an interface that is on no network of the engine, ${what}: ${effect}; ${meant}, give the container the label dockerwall.accept=foreign-interface, or else take the interface out of it`;
}
