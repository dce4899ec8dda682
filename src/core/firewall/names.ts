// The names of everything that we own in the kernel. What is not named here is not ours.

/** Kernel sets. Suffix 4 or 6 is the address family. ipset names have at most 31 bytes. */
export const setNames = {
  /** hash:net,iface (subnet, bridge): addresses that guarded containers may have, on the bridge they may have it. */
  guarded4: "dockerwall-guarded4",
  guarded6: "dockerwall-guarded6",
  /** hash:net (prefix): what the engine's networks and addresses put into guarded4, on whatever bridge. */
  ranges4: "dockerwall-ranges4",
  ranges6: "dockerwall-ranges6",
  /** list:set of guarded4 and its further parts: what rules name while one part is not enough. */
  inside4: "dockerwall-inside4",
  inside6: "dockerwall-inside6",
  /** list:set of hash:net,iface chunks (0/0, bridge): bridges known to be none of our business. */
  open4: "dockerwall-open4",
  open6: "dockerwall-open6",
  /** list:set of hash:net,iface chunks (0/0, bridge): bridges of guarded networks. */
  closed4: "dockerwall-closed4",
  closed6: "dockerwall-closed6",
  /** hash:ip,port,ip (destination, protocol:port, asker), timeout, counters, comment: what may pass. */
  grant4: "dockerwall-grant4",
  grant6: "dockerwall-grant6",
  /** hash:ip,port,ip (destination, tcp:0, asker), timeout, comment: rights to every port, kept here so that a restart finds them. */
  pair4: "dockerwall-pair4",
  pair6: "dockerwall-pair6",
  /** hash:net (asker), comment (its sandbox): whose the grants of an address are, so that nobody inherits them. */
  owner4: "dockerwall-owner4",
  owner6: "dockerwall-owner6",
  /** hash:net (destination), timeout, comment: a first packet to it is put before the daemon (NFQUEUE). */
  ask4: "dockerwall-ask4",
  ask6: "dockerwall-ask6",
  /** hash:net (destination): the prefixes that allowlists name; a first packet to one is put before the daemon too. */
  static4: "dockerwall-static4",
  static6: "dockerwall-static6",
  /** hash:net,port (subnet or address of guarded containers, protocol:port): host services that they may reach. */
  host4: "dockerwall-host4",
  host6: "dockerwall-host6",
  /** hash:ip,port,net (server, protocol:53, subnet or address of guarded containers): servers whose port 53 an entry names. */
  resolver4: "dockerwall-resolver4",
  resolver6: "dockerwall-resolver6",
  /** hash:net,port (address of a guarded container, protocol:port): what may come in untranslated. */
  published4: "dockerwall-published4",
  published6: "dockerwall-published6",
  /** hash:net (address of a container), comment (its id): cut off from everything, whatever was granted. */
  quarantine4: "dockerwall-quarantine4",
  quarantine6: "dockerwall-quarantine6",
  /** hash:net,iface (subnet, bridge): guarded networks in audit mode, from which everything passes. */
  audit4: "dockerwall-audit4",
  audit6: "dockerwall-audit6",
  /** list:set of audit4 and its further parts, as inside4. */
  audited4: "dockerwall-audited4",
  audited6: "dockerwall-audited6",
  /** hash:net,iface (subnet, bridge): guarded networks whose containers get an error when denied. */
  reject4: "dockerwall-reject4",
  reject6: "dockerwall-reject6",
  /** hash:net (a number), timeout, comment (what `allow` or `deny` made): a restart finds it here, and an upgrade by this name. */
  overrides: "dockerwall-rules",
  /** hash:net (half of all addresses), timeout: there as long as the daemon answers what the host's OUTPUT puts before it. */
  awake4: "dockerwall-awake4",
  awake6: "dockerwall-awake6",
  /** hash:net (half of all addresses), timeout: there as long as the questions of an engine that starts are held. */
  held4: "dockerwall-held4",
  held6: "dockerwall-held6",
  /** hash:net (half of all addresses), timeout: there as long as the daemon has the port of its listener. */
  listens4: "dockerwall-listens4",
  listens6: "dockerwall-listens6",
  /** list:set of hash:net,iface chunks (::/0, bridge): bridges of guarded networks that have IPv6. */
  link6: "dockerwall-link6",
  /** hash:net (a number), timeout, comment: what was denied to former holders of an address. */
  past: "dockerwall-past",
  /** hash:net (a number), timeout, comment: what was looked up, for the next daemon. */
  lookups: "dockerwall-lookups",
  /**
   * hash:ip,port,ip (asker, protocol:port, destination), timeout, counters, comment: what was dropped, and whose it was,
   * as far as a daemon has seen it.
   */
  denied4: "dockerwall-denied4",
  denied6: "dockerwall-denied6",
} as const;

/** Own chains; one per hook, and the ones they go to. */
export const chainNames = {
  raw: "DOCKERWALL-RAW",
  sender: "DOCKERWALL-SENDER",
  seen: "DOCKERWALL-SEEN",
  detour: "DOCKERWALL-DETOUR",
  unsettled: "DOCKERWALL-UNSETTLED",
  cleared: "DOCKERWALL-CLEARED",
  unseen: "DOCKERWALL-UNSEEN",
  held: "DOCKERWALL-HELD",
  flood: "DOCKERWALL-FLOOD",
  forward: "DOCKERWALL-FORWARD",
  inward: "DOCKERWALL-INWARD",
  judge: "DOCKERWALL-JUDGE",
  error: "DOCKERWALL-ERROR",
  admit: "DOCKERWALL-ADMIT",
  deny: "DOCKERWALL-DENY",
  audit: "DOCKERWALL-AUDIT",
  refuse: "DOCKERWALL-REFUSE",
  post: "DOCKERWALL-POST",
  reject: "DOCKERWALL-REJECT",
  unanswered: "DOCKERWALL-UNANSWERED",
  input: "DOCKERWALL-INPUT",
  host: "DOCKERWALL-HOST",
  link: "DOCKERWALL-LINK",
  capture: "DOCKERWALL-CAPTURE",
  accept: "DOCKERWALL-ACCEPT",
  output: "DOCKERWALL-OUTPUT",
  question: "DOCKERWALL-QUESTION",
  /** Not of the ruleset: there from the start of an engine until a daemon has read it. */
  engine: "DOCKERWALL-ENGINE",
  /** Not of the ruleset either: what the boot guard drops until a daemon writes its rules. */
  bootForward: "DOCKERWALL-BOOT-FORWARD",
  bootInput: "DOCKERWALL-BOOT-INPUT",
  /**
   * A chain that nothing jumps to, in each table where something was missing before us: one rule says by its comment
   * that the table, or a built-in chain of it, was made for us. So the kernel remembers, for whichever process
   * uninstalls, what may go when nothing else is in it.
   */
  made: "DOCKERWALL-MADE",
} as const;

export type ChainName = (typeof chainNames)[keyof typeof chainNames];

/** What the comment of an entry starts with that the data plane put into a set of the control plane; no name has a colon. */
const sandboxPrefix = "sandbox:";

export function sandboxComment(sandbox: string): string {
  return `${sandboxPrefix}${sandbox}`;
}

/** The sandbox that an entry was put in for by the data plane; undefined for every other entry. */
export function sandboxOf(comment: string | undefined): string | undefined {
  return comment?.startsWith(sandboxPrefix) ? comment.slice(sandboxPrefix.length) : undefined;
}

/** Own nft table in each captured sandbox. */
export const sandboxTable = { family: "ip", name: "dockerwall" } as const;

/** The same for what holds an interface until it is known, in both families. */
export const holdTable = { family: "inet", name: "dockerwall-hold" } as const;

/** The same for what keeps lookups of the gateway on their way to it. */
export const gatewayTable = { family: "ip", name: "dockerwall-gateway" } as const;

/** The same in one that is in quarantine, where its ports cannot be cut both ways. */
export const cutTable = { family: "inet", name: "dockerwall-cut" } as const;

/** The same in one that has interfaces by which nothing may leave, as neither the engine nor the container made them. */
export const foreignTable = { family: "netdev", name: "dockerwall-foreign" } as const;

/** The same where checksums of its own interfaces were taken from their devices. */
export const checksumsTable = { family: "inet", name: "dockerwall-checksums" } as const;

/** What the names of bridges begin with that are held until they are classified: so Docker calls its own. */
export const heldPrefix = "br-";

/** All of them, as rules name them. */
export const heldBridges = `${heldPrefix}+`;

/**
 * Bits of the connection mark that are ours, the stamp of an admitted flow, of one that only audit mode let pass, of a
 * denied one whose sender gets an error, and of one that began where nobody judges it.
 */
export const connectionMark = {
  mask: 0x0f00_0000,
  admitted: 0x0100_0000,
  audited: 0x0200_0000,
  refused: 0x0300_0000,
  elsewhere: 0x0800_0000,
} as const;

/**
 * Bit of the packet mark by which the daemon sends a queued packet back as refused, and raw tells of one that comes to the
 * host from a held bridge. What has it passes as part of no open flow.
 */
export const refusedMark = 0x0800_0000;

/**
 * What the engine's resolver asks is put before the daemon by a queue of its own, beside that of first packets: it may
 * be passed by when nobody listens, and the other may not.
 */
export function engineQueueNumber(queueNumber: number): number {
  return queueNumber + 1;
}

/** What comes from ports of which nobody knows yet whose they are waits in a queue of its own, which drops when full. */
export function unsettledQueueNumber(queueNumber: number): number {
  return queueNumber + 2;
}

/** Number of the packet queue by which a daemon claims the host; no rule leads to it. */
export const claimQueueNumber = 53_535;

/**
 * Bit of the packet mark of a denied one whose sender gets an error. Other software marks the host's own packets with
 * it too, so it decides nothing alone: it counts on bridges that reject, and behind them on stamped flows.
 */
export const rejectedMark = 0x2000_0000;

/**
 * The whole packet mark of a question of the engine's that the daemon refuses: it goes nowhere, so nothing of a mark that
 * it had need be kept, and no other software means the same by these 32 bits. Others may add bits of theirs afterwards;
 * `bits` are those of it that tell it from theirs.
 */
export const refusedQuestion = { mark: 0xb053_ac1d, bits: 0xb000_0000 } as const;

/** Bit of the packet mark of one that the daemon has let pass: it is asked about once only. */
export const askedMark = 0x1000_0000;

/**
 * Own nft table of the host: a chain for each port by which a guarded container or one in quarantine is on a bridge. A
 * port is the host's end of its interface.
 */
export const portTable = { family: "netdev", name: "dockerwall" } as const;

/** Own nft table of the host: drops IP in frames that no bridge passes on, and that no rule of a bridge sees. */
export const framesTable = { family: "inet", name: "dockerwall" } as const;

/** Own nft table of the host's bridges: marks what comes from ports that are not settled, so that it waits for the daemon. */
export const bridgeTable = { family: "bridge", name: "dockerwall" } as const;

/** What the names of ports begin with that Docker makes. */
export const portPrefix = "veth";

/** Bit of the packet mark of one that was seen to come from its sender's port; it never gets beyond raw. */
export const senderMark = 0x4000_0000;

/**
 * The whole packet mark of one that was seen so, and by its MAC comes to the host, for an address of its sender's own
 * network; it never gets beyond raw.
 */
export const detourMark = senderMark + askedMark;

/** Bit of the packet mark of one that came by a port that is not settled; the others tell the port. It never gets beyond raw. */
export const unsettledMark = 0x8000_0000;

/** Every bit of the packet mark that is ours, beside unsettledMark. */
export const packetMarkMask = refusedMark | rejectedMark | askedMark | senderMark;

/** Where redirected lookups arrive, unless a setting says otherwise or another program has it. */
export const usualDnsPort = 5053;
