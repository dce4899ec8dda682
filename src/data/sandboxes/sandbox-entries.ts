// Entries that the data plane adds to the control plane's sets, because it sees a sandbox's addresses before the engine
// says whose they are. The comment of each names its sandbox; the control plane neither removes nor repeats such an
// entry, so it stays until its sandbox no longer needs it.

import { sandboxComment, sandboxOf, setNames } from "../../core/firewall/names.ts";
import { familyOf, hostPrefix, type IpAddress } from "../../core/model/address.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";
import type { SetKey } from "../../edge/kernel/ipset/message.ts";

/** An address, and where the set asks for one the bridge that it counts on. */
export interface Place {
  readonly address: IpAddress;
  readonly bridge?: string;
}

export interface SandboxEntries {
  /** Makes these the entries of the sandbox, instead of those that it had; in the kernel on return. */
  put(sandbox: string, places: readonly Place[]): void;
  /** Removes the entries of sandboxes that are no more, those of earlier runs among them. */
  retain(isLive: (sandbox: string) => boolean): void;
}

/** A container with NET_ADMIN gives itself as many addresses as it likes; the sets are for everybody. */
const placesPerSandbox = 64;

/** Takes over what an earlier run left in the kernel. */
export function createSandboxEntries(sets: KernelSets, set: "guarded" | "quarantine"): SandboxEntries {
  /** By key: an address may have gone to another sandbox before the first one is seen to be without it. */
  const holders = new Map<string, string>();
  const placesOf = new Map<string, Map<string, Place>>();

  function note(sandbox: string, place: Place): void {
    const text = textOf(place);
    const before = holders.get(text);
    if (before !== undefined) placesOf.get(before)?.delete(text);
    holders.set(text, sandbox);
    placesOf.set(sandbox, (placesOf.get(sandbox) ?? new Map()).set(text, place));
  }

  for (const name of [setNames[`${set}4`], setNames[`${set}6`]]) {
    for (const { key, comment } of sets.list(name)) {
      const sandbox = sandboxOf(comment);
      const place = placeOf(key);
      if (sandbox !== undefined && place !== undefined) note(sandbox, place);
    }
  }

  function put(sandbox: string, places: readonly Place[]): void {
    const wanted = new Map(places.slice(0, placesPerSandbox).map((place) => [textOf(place), place]));
    for (const [text, place] of wanted) {
      if (holders.get(text) === sandbox) continue;
      sets.add(nameFor(set, place), [{ key: keyOf(place), comment: sandboxComment(sandbox) }]);
      note(sandbox, place);
    }
    const its = placesOf.get(sandbox);
    for (const [text, place] of its ?? []) {
      if (wanted.has(text)) continue;
      sets.del(nameFor(set, place), [keyOf(place)]);
      its?.delete(text);
      holders.delete(text);
    }
    if (its?.size === 0) placesOf.delete(sandbox);
  }

  return {
    put,
    retain(isLive) {
      for (const sandbox of [...placesOf.keys()]) if (!isLive(sandbox)) put(sandbox, []);
    },
  };
}

function nameFor(set: "guarded" | "quarantine", { address }: Place): string {
  return setNames[`${set}${familyOf(address)}`];
}

function textOf({ address, bridge = "" }: Place): string {
  return `${address} ${bridge}`;
}

function keyOf({ address, bridge }: Place): SetKey {
  const prefix = hostPrefix(address);
  return bridge === undefined ? { kind: "net", prefix } : { kind: "net-iface", prefix, iface: bridge };
}

function placeOf(key: SetKey): Place | undefined {
  if (key.kind === "net") return { address: key.prefix.address };
  return key.kind === "net-iface" ? { address: key.prefix.address, bridge: key.iface } : undefined;
}
