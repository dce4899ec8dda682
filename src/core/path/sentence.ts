// What decided, and what would change it, in words. `explain`, `doctor` and `status` say the same.

import { allowLabel } from "../labels/table.ts";
import type { Change, PathStep } from "./verdict.ts";

/** Of what a sentence speaks. */
export interface Told {
  readonly container: string;
  /** The network that it leaves by. */
  readonly network: string | undefined;
  /** The container's guarded networks. */
  readonly homes: readonly string[];
}

/** Why; to follow `because`. */
export function renderStep(step: PathStep, { network, homes }: Told): string {
  const leaves = network ?? homes.join(", ");
  switch (step) {
    case "host-network":
      return "the container is on the host's own network, which nothing of Dockerwall stands before";
    case "no-network":
      return "the container has no network at all";
    case "not-known":
      return "the engine has not reported enough about the container yet, or its network cannot be looked into";
    case "inside":
      return "it never leaves the container";
    case "no-way":
      return "the container has no route there, and sends nothing";
    case "quarantine":
      return "the container is in quarantine";
    case "unfiltered-network":
      return "it leaves by an interface that bypasses the host's bridges (macvlan or ipvlan), and so Dockerwall";
    case "tunnel":
      return "it goes into a tunnel of the container's own; ask for the tunnel's far end";
    case "open-network":
      return "none of the container's networks is guarded";
    case "foreign-source":
      return `its source is no address that the container may send from on ${leaves}`;
    case "neighbour":
      return `it stays on ${leaves}, where containers always reach each other`;
    case "no-neighbour":
      return `it would stay on ${leaves}, where no running container has this address`;
    case "neighbour-quarantined":
      return "the container there is in quarantine";
    case "link-local":
      return "it is an address of the link, and the engine does not tell whose";
    case "lookup":
      return "it is a lookup: Dockerwall answers it by the allowlist, whichever server it is sent to";
    case "host-entry":
      return "a `host` entry opens this port of the Docker host";
    case "host":
      return "it is an address of the Docker host, which only `host` entries open";
    case "other-network":
      return "it is on another network of the engine, and Docker keeps its networks apart";
    case "internal":
      return `it would leave by ${leaves}, which is internal: Docker lets nothing out of it`;
    case "unpublished":
      return "only published ports lead into a guarded network";
    case "entry":
      return `an entry for ${leaves} allows it`;
    case "no-entry":
      return `no entry for ${leaves} covers it`;
    case "taken-away":
      return "a `!` entry takes it away";
    case "port":
      return "its name is allowed, but not with this port";
    case "no-lookup":
      return "its name is allowed, but no recent lookup has opened it";
    case "other-list":
      return `it leaves by ${leaves}, whose entries do not cover it; those of another network of the container do`;
    case "audit":
      return `no entry for ${leaves} covers it, but audit mode lets it pass`;
    case "no-such-name":
      return "its name has no address";
    case "no-address":
      return "its name is allowed, but leads only where the allowlist does not let it lead: to private addresses, or to this host";
    case "no-answer":
      return "no resolver answers for its name";
  }
}

/** What to do. */
export function renderChange(change: Change): string {
  switch (change.kind) {
    case "entry":
      return `write ${change.entry} into ${allowLabel} of network ${change.network}, or of this container alone`;
    case "remove-entry":
      return `take ${change.entry} out of ${change.source}`;
    case "route":
      return `send by ${change.network}: give it the highest gw_priority (Engine 28), or make ${change.instead} internal; or write ${change.entry} into ${allowLabel} of ${change.instead} or of this container alone`;
    case "lookup":
      return `look up ${change.name} again; a program that keeps an address for longer than its lookup said loses it`;
    case "release":
      return `dockerwall release ${change.container}`;
    case "way-out":
      return `connect the container to a network with ${change.family} that is not internal`;
    case "common-network":
      return `connect both to one network, such as ${change.network}`;
    case "ask-again":
      return "ask again in a moment, and see dockerwall status";
  }
}
