// The chain of a guarded port, in the bytes of nftables. A packet that is neither IP nor ARP, or that comes from an
// address that is not its container's, goes no further: neither to the host nor to a neighbour on the same bridge,
// whether or not the host's kernel shows bridged packets to iptables (br_netfilter).

import { detourMark, senderMark } from "../../../../core/firewall/names.ts";
import type { PortGuard } from "../../../../core/firewall/port-guard.ts";
import {
  addressBytes,
  familyOf,
  type IpAddress,
  linkLocal6,
  type Prefix,
} from "../../../../core/model/address.ts";
import {
  discoveryMessages,
  ICMPV6,
  messageType,
  NEIGHBOUR_ADVERTISEMENT,
  targetIs,
  targetIsNot,
} from "../expressions/discovery.ts";
import {
  addressIn,
  addressNotIn,
  destinationPort,
  extensionHeader,
  frameTo,
  nextHeader,
  sourcePort,
  wholePacket,
} from "../expressions/headers.ts";
import {
  anyTransport,
  frameProtocol,
  frameToDevice,
  inputInterface,
  otherInputInterface,
  transportProtocol,
} from "../expressions/meta.ts";
import type { Expression } from "../expressions/registers.ts";
import { setDestinationPort, setMarkBits, setSourcePort, verdict } from "../expressions/statements.ts";
import { type addressAt, etherTypes } from "../numbers.ts";

const { ip: IP, arp: ARP, ip6: IP6 } = etherTypes;
const UDP = 17;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
/**
 * Of DHCP and DHCPv6, what tells a packet that is no fragment, and the ports of servers and of clients. A client of the
 * host reads offers before any rule of the host's, some by the client's port alone, and would lead the host's default
 * route to the container.
 */
const offerPorts = [
  [IP, wholePacket(), 67, 68],
  [IP6, extensionHeader(FRAGMENT, "missing"), 547, 546],
] as const;
/** Whatever is sent there is thrown away (RFC 863). */
const DISCARD = 9;
/** Router advertisement and redirect: a container is no router, and its neighbours would believe it. */
const routerMessages = [134, 137];

/** Routing header, fragment, destination options: behind them a message is not what it seems. */
const hidingHeaders = [43, 44, 60];

const unspecified6: Expression = addressIn("ip6Source", new Uint8Array(16), 128);
const drop = verdict("drop");
const accept = verdict("accept");
/** Of an invalid packet no rule for transports applies, and the rules before, which drop by ports, have not judged it. */
const seen = [anyTransport(), setMarkBits(senderMark), accept];
const ip6 = frameProtocol(IP6);
/** Link-local addresses, and groups. */
const onLink: readonly Prefix[] = [linkLocal6, { address: "ff00::" as IpAddress, length: 8 }];
const icmp6 = [ip6, transportProtocol(ICMPV6)];

/**
 * Of a datagram in fragments only the first tells its ports. Were it dropped, the others would wait for it, and fill the
 * memory in which the whole host's fragments do. As it is, clients take it for an offer: dhclient and dhcpcd rule out
 * later fragments only, and udhcpc none. So it goes on with other ports, by which the datagram is judged when it is whole.
 */
const offerRules = offerPorts.flatMap(([protocol, isWhole, server, client]) => {
  const udp = [frameProtocol(protocol), transportProtocol(UDP)];
  return [
    [...udp, isWhole, sourcePort(server), drop],
    [...udp, isWhole, destinationPort(client), drop],
    [...udp, sourcePort(server), setSourcePort(DISCARD)],
    [...udp, destinationPort(client), setDestinationPort(DISCARD)],
  ];
});

/**
 * The rules of a port's chain, in order.
 * @param index of the port: its chain hangs on a name, which another device may have one day
 */
export function renderPortRules(index: number, guard: PortGuard): readonly (readonly Expression[])[] {
  return [
    [otherInputInterface(index), accept],
    ...offerRules,
    authenticated(guard),
    ...detourRules(guard),
    ...ofFamily(guard, 4).map((sender) => [frameProtocol(IP), from("ipSource", sender), ...seen]),
    ...arpRules(guard),
    ...routerMessages.map((type) => [...icmp6, messageType(type), drop]),
    advertisementOfOthers(guard),
    ...ofFamily(guard, 6).map((sender) => [ip6, from("ip6Source", sender), ...seen]),
    ...hidingHeaders.map((header) => [ip6, nextHeader(header), drop]),
    ...linkLocalRules(guard),
    // No address is nobody's to judge: it looks whether one is free, and which groups it is in.
    ...discoveryMessages.map((type) => [...icmp6, unspecified6, messageType(type), ...seen]),
    [drop],
  ];
}

/** Rules to go before those of a chain that lets in an address: nothing from there, and nothing that says it is there. */
export function renderShutRules(index: number, address: IpAddress): readonly (readonly Expression[])[] {
  const port = inputInterface(index);
  if (familyOf(address) === 4)
    return [
      [port, frameProtocol(IP), from("ipSource", address), drop],
      [port, frameProtocol(ARP), from("arpSender", address), drop],
    ];
  return [
    [port, ip6, from("ip6Source", address), drop],
    [port, ...icmp6, messageType(NEIGHBOUR_ADVERTISEMENT), targetIs(addressBytes(address)), drop],
  ];
}

/**
 * Of IPv6, sets and connection tracking look behind an authentication header and take what is there for the whole, so an
 * entry for a port would let it pass. Of IPv4 they do not. Inside the network, and on the link, nothing is judged by ports.
 */
function authenticated({ neighbourhood }: PortGuard): readonly Expression[] {
  const inside = [...neighbourhood.filter(({ address }) => familyOf(address) === 6), ...onLink];
  const isOutside = inside.map(({ address, length }) =>
    addressNotIn("ip6Destination", addressBytes(address), length),
  );
  return [ip6, extensionHeader(AUTHENTICATION, "there"), ...isOutside, drop];
}

/**
 * The host is no way to a neighbour: it would look for each address that it is asked to send on to, in a table that all
 * its networks share. Which addresses are its own is for the rules of the host to say.
 */
function detourRules({ neighbourhoods, bridgeMac }: PortGuard): (readonly Expression[])[] {
  const toHost = [frameToDevice(), ...(bridgeMac === undefined ? [] : [frameTo(bridgeMac)])];
  return [...neighbourhoods, linkLocal6].flatMap(({ address, length }) => {
    const [protocol, at] =
      familyOf(address) === 4 ? ([IP, "ipDestination"] as const) : ([IP6, "ip6Destination"] as const);
    const inside = [frameProtocol(protocol), addressIn(at, addressBytes(address), length)];
    return toHost.map((each) => [...inside, each, setMarkBits(detourMark)]);
  });
}

/** A neighbour believes any sender that says it has an address: as with ARP, only the container's own may be said. */
function advertisementOfOthers(guard: PortGuard): readonly Expression[] {
  const own = [...ofFamily(guard, 6), ...guard.linkLocal];
  const ofOthers = own.map((address) => targetIsNot(addressBytes(address)));
  return [...icmp6, messageType(NEIGHBOUR_ADVERTISEMENT), ...ofOthers, drop];
}

function linkLocalRules({ linkLocal, linkLocalMay: may }: PortGuard): (readonly Expression[])[] {
  const senders = linkLocal.map((address) => from("ip6Source", address));
  if (may === "judged") return senders.map((sender) => [ip6, sender, ...seen]);
  return senders.flatMap((sender) =>
    discoveryMessages.map((type) => [...icmp6, sender, messageType(type), accept]),
  );
}

/** From an address of the container, or from none yet, for an address of the network. */
function arpRules({ neighbourhood, ...guard }: PortGuard): (readonly Expression[])[] {
  const senders = [...ofFamily(guard, 4).map(addressBytes), new Uint8Array(4)];
  const targets = neighbourhood.filter(({ address }) => familyOf(address) === 4);
  return senders.flatMap((sender) => {
    const asks = [frameProtocol(ARP), addressIn("arpSender", sender, 32)];
    if (targets.length === 0) return [[...asks, accept]];
    return targets.map(({ address, length }) => [
      ...asks,
      addressIn("arpTarget", addressBytes(address), length),
      accept,
    ]);
  });
}

function ofFamily({ senders }: Pick<PortGuard, "senders">, family: 4 | 6): IpAddress[] {
  return senders.filter((address) => familyOf(address) === family);
}

function from(at: keyof typeof addressAt, address: IpAddress): Expression {
  const bytes = addressBytes(address);
  return addressIn(at, bytes, bytes.length * 8);
}
