// What decided, and what would change it, in words. `explain`, `doctor` and `status` say the same.

import { allowLabel } from "../labels/table.ts";
import type { LookedUpBy } from "../model/report/stats.ts";
import { overrideAt, renderCommand, renderRemoval } from "../policy/override/place.ts";
import type { Change, PathEnd, PathStep } from "./verdict.ts";

/** Some name the network that the packet leaves by. */
const reasons: Readonly<Record<PathStep, string | ((leaves: string) => string)>> = {
  "host-network": "the container is on the host's own network, which nothing of Dockerwall stands before",
  "no-network": "the container has no network at all",
  "not-known":
    "the engine has not reported enough about the container yet, or its network cannot be looked into",
  inside: "it never leaves the container",
  "no-way": "the container has no route there, and sends nothing",
  quarantine: "the container is in quarantine",
  "set-full":
    "its address, or the one it is for, found no place in a set of the kernel that is full, and is cut off instead",
  "foreign-interface":
    "it leaves by an interface that is on no network of the engine, which is closed unless the container's label dockerwall.accept has foreign-interface",
  "unfiltered-network":
    "it leaves by an interface that bypasses the host's bridges (macvlan or ipvlan), and so Dockerwall",
  tunnel: "it goes into a tunnel of the container's own; ask for the tunnel's far end",
  "open-network": "none of the container's networks is guarded",
  "foreign-source": (leaves) => `its source is no address that the container may send from on ${leaves}`,
  neighbour: (leaves) => `it stays on ${leaves}, where containers always reach each other`,
  neighbours: (leaves) =>
    `it is for all on ${leaves} at once, where containers always reach each other, and is routed no further`,
  "no-neighbour": (leaves) => `it would stay on ${leaves}, where no running container has this address`,
  "kept-apart": (leaves) =>
    `it stays on ${leaves}, which is made with enable_icc=false: Docker keeps its containers apart`,
  linked: (leaves) => `it stays on ${leaves}, where a link (--link) opens this port of the container`,
  "neighbour-quarantined": "the container there is in quarantine",
  "link-local": "it is an address of the link, and the engine does not tell whose",
  lookup: "it is a lookup: Dockerwall answers it by the allowlist, whichever server it is sent to",
  "host-entry": "a `host` entry opens this port of the Docker host",
  host: "it is an address of the Docker host, which only `host` entries open",
  "other-network": "it is on another network of the engine, and Docker keeps its networks apart",
  internal: (leaves) => `it would leave by ${leaves}, which is internal: Docker lets nothing out of it`,
  "not-forwarded":
    "it is allowed, but this host forwards nothing of its family; dockerwall doctor says how to turn it on",
  unpublished: "only published ports lead into a guarded network",
  entry: (leaves) => `an entry for ${leaves} allows it`,
  "no-entry": (leaves) => `no entry for ${leaves} covers it`,
  unreadable: (leaves) =>
    `a list that counts on ${leaves} cannot be read, and nothing is allowed until it is corrected, as it is not known what it takes away`,
  "taken-away": "a `!` entry takes it away",
  port: "its name is allowed, but not with this port",
  "no-lookup": "its name is allowed, but no recent lookup has opened it",
  "other-list": (leaves) =>
    `it leaves by ${leaves}, whose entries do not cover it; those of another network of the container do`,
  audit: (leaves) => `no entry for ${leaves} covers it, but audit mode lets it pass`,
  "no-such-name": "its name has no address",
  "no-family": "its name has no address of the only family, IPv4 or IPv6, that the container's networks have",
  "no-address":
    "its name is allowed, but leads only where the allowlist does not let it lead: to private addresses, or to those of this host and its networks",
  "no-answer": "no resolver answers for its name",
  "other-resolver":
    "the container's own /etc/resolv.conf names a server at which Dockerwall answers nothing: what is looked up there opens nothing, and where it leads is not known; let the container ask Docker's resolver (127.0.0.11), or ask for the address",
};

/** Why; to follow `because`. @param leaves the network that it leaves by, or those that it may leave by */
export function renderStep(step: PathStep, leaves: string): string {
  const reason = reasons[step];
  return typeof reason === "string" ? reason : reason(leaves);
}

/** The same of the whole end. */
export function renderEnd({ step, ports }: PathEnd, leaves: string): string {
  const reason = renderStep(step, leaves);
  if (ports === undefined) return reason;
  return `${reason}, on ${ports.length === 1 ? "port" : "ports"} ${ports.join(" ")} only`;
}

/** Where an entry stands: of an override, the command that has made it. */
export function renderSource(source: string): string {
  const override = overrideAt(source);
  return override === undefined ? source : `an override, made by ${renderCommand(override)}`;
}

/** For an address that a container tried, but only a neighbour looked up. */
export function renderNeighbour({ container, name }: LookedUpBy): string {
  return `${container} on the same network looked it up as ${name}, and a lookup opens addresses only for the container whose it is: let this one ask Docker's resolver (127.0.0.11), or name ${container} in dockerwall.upstream of the network and give it a network of its own`;
}

/** What to do. */
export function renderChange(change: Change): string {
  switch (change.kind) {
    case "entry":
      return `write ${change.entry} into ${allowLabel} of network ${change.network}, or of this container alone`;
    case "undo":
      return change.command;
    case "host-name":
      return `write ${change.entry} into ${allowLabel} of network ${change.network}, or of this container alone, and give the container the name (extra_hosts: "${change.name}:host-gateway"), which no resolver has`;
    case "remove-entry":
      return renderRemoval(change.entry, change.source);
    case "correct":
      return `correct this first: ${change.problem}`;
    case "route": {
      const here =
        change.problem === undefined
          ? `write ${change.entry} into ${allowLabel} of ${change.instead} or of this container alone`
          : `correct what may hold it there: ${change.problem}`;
      return `send by ${change.network}: give it the highest gw_priority (Engine 28), or make ${change.instead} internal; or ${here}`;
    }
    case "lookup":
      return `look up ${change.name} again; a program that keeps an address for longer than its lookup said loses it`;
    case "release":
      return `docker exec dockerwall release ${change.container}`;
    case "fewer-networks":
      return `take ${change.container} off networks that it does not need, or others off theirs, and see dockerwall status`;
    case "way-out":
      return `connect the container to a network with ${change.family} that is not internal`;
    case "common-network":
      return `connect both to one network, such as ${change.network}`;
    case "connect-containers":
      return `make ${change.network} anew without enable_icc=false, or connect both to another network`;
    case "ask-again":
      return "ask again in a moment, and see dockerwall status";
  }
}
