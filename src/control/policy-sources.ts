// Everything that decides beside labels, and changes while the daemon runs: presets, the policy file, and rules by
// command with their ends. Whatever changes here is in force when `useOther` resolves.

import type { OverrideRequest } from "../core/model/control-api.ts";
import type { OverridesReport } from "../core/model/report.ts";
import { loadBuiltInPresets } from "../core/policy/built-in-presets.ts";
import { createListStore, type ListStore } from "../core/policy/list-store.ts";
import type { PolicyFile } from "../core/policy/policy-file.ts";
import type { Presets } from "../core/policy/preset.ts";
import type { Log } from "../edge/host/log.ts";
import { followPolicyFile } from "../edge/host/policy-file.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { monotonicMs } from "../edge/kernel/monotonic.ts";
import { changeOverrides, type OverrideContext, reportOverrides } from "./api/change-overrides.ts";
import { createOverrides, type Overrides } from "./overrides.ts";

export interface PolicySourcesOptions {
  readonly sets: KernelSets;
  readonly policyFile: string;
  readonly log: Log;
  /** One sentence about the policy file, or undefined when it is well. */
  readonly onProblem: (problem: string | undefined) => void;
  /** Has everything decided anew; resolves when that is in force. */
  readonly useOther: () => Promise<void>;
}

export interface PolicySources extends Disposable {
  readonly store: ListStore;
  readonly rules: Overrides;
  file(): PolicyFile;
  presets(): Presets;
  /** Makes rules, or takes them back; in force when it resolves. @throws DockerwallError */
  change(request: OverrideRequest, context: Omit<OverrideContext, "rules">): Promise<OverridesReport>;
  /** Looks after what nobody tells of: rules that have ended, a file that changed unseen. */
  look(): void;
}

/** The sets must be there. */
export function openPolicySources({
  sets,
  policyFile,
  log,
  onProblem,
  useOther,
}: PolicySourcesOptions): PolicySources {
  const builtIn = loadBuiltInPresets();
  const store = createListStore(builtIn);
  const rules = createOverrides({ sets, nowMs: monotonicMs });
  const watch = followPolicyFile({
    path: policyFile,
    builtIn,
    onChange: () => {
      usePresets();
      void useOther().catch(() => undefined);
    },
    onProblem,
  });
  let endTimer: NodeJS.Timeout | undefined;

  // The same object while the file is the same: by another one every list would be parsed again.
  let presets: Presets = builtIn;

  function usePresets(): void {
    presets = new Map([...builtIn, ...watch.current().presets]);
    store.usePresets(presets);
  }
  usePresets();

  /** Rules for a while end in the kernel by themselves; what was open by them ends here. */
  function endRules(): void {
    const ended = rules.expire();
    for (const { target, entry } of ended) log.info("rule ended", { [target.kind]: target.name, entry });
    // What goes wrong then is told by `status`, and tried again with the next reconciliation.
    if (ended.length > 0) void useOther().catch(() => undefined);
    scheduleEnd();
  }

  function scheduleEnd(): void {
    clearTimeout(endTimer);
    const endsAtMs = rules.nextEndMs();
    if (endsAtMs !== undefined) endTimer = setTimeout(endRules, Math.max(0, endsAtMs - monotonicMs()) + 1);
  }

  return {
    store,
    rules,
    presets: () => presets,
    file: watch.current,
    async change(request, context) {
      const from = performance.now();
      const target = changeOverrides(request, { rules, ...context });
      await useOther();
      log.info("policy changed", {
        [target.kind]: target.name,
        entry: request.entries.join(" "),
        command: request.verb,
        durationMs: Math.round(performance.now() - from),
      });
      scheduleEnd();
      return reportOverrides(target, rules.current());
    },
    look() {
      endRules();
      watch.look();
    },
    [Symbol.dispose]: () => {
      clearTimeout(endTimer);
      watch[Symbol.dispose]();
    },
  };
}
