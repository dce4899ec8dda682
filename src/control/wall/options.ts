// What the wall is made of, and what it decides by.

import type { FoundOnBridge } from "../../core/classify/bridge-ports.ts";
import type { Prefix } from "../../core/model/address.ts";
import type { ListStore } from "../../core/policy/list-store.ts";
import type { Override } from "../../core/policy/override.ts";
import type { PolicyFile } from "../../core/policy/policy-file.ts";
import type { Firewall } from "../../edge/kernel/firewall.ts";
import type { KernelSets } from "../../edge/kernel/ipset/kernel-sets.ts";

export interface WallOptions {
  readonly sets: KernelSets;
  readonly firewall: Firewall;
  readonly dnsPort: number;
  readonly queueNumber: number;
  readonly hold: boolean;
  /** Whether an earlier run already guarded ports. */
  readonly demandSender?: boolean;
  readonly listBridges: () => readonly string[];
  /** Looks at what the host has on bridges. */
  readonly lookAtBridges: () => (bridge: string) => FoundOnBridge;
  /** Forgets the flows with an end in these ranges that no rule has judged. */
  readonly forgetUnjudged: (ranges: readonly Prefix[]) => void;
  /** Milliseconds of a clock that only goes forward, the one that dates readings of the engine. */
  readonly uptimeMs: () => number;
  /** When the last complete reading of the engine's networks began. */
  readonly networksReadAtMs: () => number | undefined;
  /** What decides besides labels, at the time of the call. */
  readonly policy: () => WallPolicy;
  /** Id of the container that this process runs in. */
  readonly ownContainer?: string | undefined;
  /** Whether an earlier run left its sets; given by a caller that has created the missing ones since. */
  readonly adopted?: boolean;
}

export interface WallPolicy {
  readonly store: ListStore;
  /** The last good policy file. */
  file(): PolicyFile;
  /** Made by command. */
  readonly overrides: { current(): readonly Override[] };
}
