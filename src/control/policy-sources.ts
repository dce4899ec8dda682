// Everything that decides beside labels, and changes while the daemon runs: presets, the policy file, and overrides
// with their ends. Whatever changes here is in force when `useOther` resolves.

import { contain } from "../core/contain.ts";
import type { OverrideRequest } from "../core/model/control-api.ts";
import type { OverridesReport } from "../core/model/report.ts";
import { loadBuiltInPresets } from "../core/policy/built-in-presets.ts";
import { createListStore, type ListStore } from "../core/policy/list-store.ts";
import type { PolicyFile } from "../core/policy/policy-file.ts";
import type { Presets } from "../core/policy/preset.ts";
import type { Log } from "../edge/host/log.ts";
import { followPolicyFile } from "../edge/host/policy-file.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import { changeOverrides, type OverrideContext, reportOverrides } from "./api/change-overrides.ts";
import { createOverrides, type Overrides } from "./overrides.ts";

export interface PolicySourcesOptions {
  readonly sets: KernelSets;
  readonly policyFile: string;
  readonly log: Log;
}

/** Who has to know of changes. */
export interface PolicyListener {
  /** One sentence about the policy file, or undefined when it is well. */
  readonly onProblem: (problem: string | undefined) => void;
  /** Called with what kept a change that nobody asked for from being used; the next look() tries again. */
  readonly onFailure: (error: unknown) => void;
  /** Has everything decided anew; resolves when that is in force. */
  readonly useOther: () => Promise<void>;
}

/** As they are now; what they say may be asked for at any time. */
export interface OpenPolicySources extends Disposable {
  readonly store: ListStore;
  readonly overrides: Overrides;
  file(): PolicyFile;
  presets(): Presets;
  /** Tells what is the matter with the file now, and follows every source from now on. To be called once. */
  follow(listener: PolicyListener): PolicySources;
}

/** With whoever has to know of changes. */
export interface PolicySources extends Pick<OpenPolicySources, "store" | "overrides" | "file" | "presets"> {
  /** Makes overrides, or takes them back; in force when it resolves. @throws DockerwallError */
  change(request: OverrideRequest, context: Omit<OverrideContext, "overrides">): Promise<OverridesReport>;
  /** Looks after what nobody tells of: overrides that have ended, a file that changed unseen. */
  look(): void;
}

/** The sets must be there. */
export function openPolicySources({ sets, policyFile, log }: PolicySourcesOptions): OpenPolicySources {
  const builtIn = loadBuiltInPresets();
  const store = createListStore(builtIn);
  const overrides = createOverrides({ sets, nowMs: Date.now });
  /** Undefined until somebody follows: whoever reads before that reads what there is. */
  let listener: PolicyListener | undefined;
  let problem: string | undefined;
  const watch = followPolicyFile({
    path: policyFile,
    builtIn,
    onChange: () =>
      contain(
        () => {
          usePresets();
          // What goes wrong then is told by `status`, and tried again with the next reconciliation.
          listener?.useOther().catch(() => undefined);
        },
        (error) => listener?.onFailure(error),
      ),
    onProblem: (next) => {
      problem = next;
      listener?.onProblem(next);
    },
  });
  const closing = new DisposableStack();
  closing.use(watch);

  // The same object while the file is the same: by another one every list would be parsed again.
  let presets: Presets = builtIn;

  function usePresets(): void {
    presets = new Map([...builtIn, ...watch.current().presets]);
    store.usePresets(presets);
  }
  usePresets();

  const now = { store, overrides, presets: () => presets, file: watch.current };
  return {
    ...now,
    follow(next) {
      listener = next;
      if (problem !== undefined) next.onProblem(problem);
      const ends = closing.use(followEnds(overrides, next, log));
      return {
        ...now,
        change: (request, context) => change(request, { overrides, ...context }, { ...next, ends, log }),
        look() {
          ends.look();
          watch.look();
        },
      };
    },
    [Symbol.dispose]: () => closing.dispose(),
  };
}

async function change(
  request: OverrideRequest,
  context: OverrideContext,
  {
    useOther,
    ends,
    log,
  }: Pick<PolicyListener, "useOther"> & { readonly ends: OverrideEnds; readonly log: Log },
): Promise<OverridesReport> {
  const from = performance.now();
  const target = changeOverrides(request, context);
  await useOther();
  log.info("policy changed", {
    [target.kind]: target.name,
    entry: request.entries.join(" "),
    command: request.verb,
    durationMs: Math.round(performance.now() - from),
  });
  ends.schedule();
  return reportOverrides(target, context.overrides.current());
}

interface OverrideEnds extends Disposable {
  /** Ends what has ended. @throws DockerwallError when the kernel would not forget it; it is not in force all the same */
  look(): void;
  /** Waits for the next end. */
  schedule(): void;
}

/** Overrides for a while end in the kernel by themselves; what was open by them ends here. */
function followEnds(overrides: Overrides, { useOther, onFailure }: PolicyListener, log: Log): OverrideEnds {
  let timer: NodeJS.Timeout | undefined;
  /** A command that is answered after the end must not have anything done by itself. */
  let disposed = false;

  function look(): void {
    const ended = overrides.ended();
    try {
      overrides.expire();
    } finally {
      for (const { target, entry } of ended)
        log.info("override ended", { [target.kind]: target.name, entry });
      // What goes wrong then is told by `status`, and tried again with the next reconciliation.
      if (ended.length > 0) void useOther().catch(() => undefined);
      schedule();
    }
  }

  function schedule(): void {
    clearTimeout(timer);
    const endsAtMs = overrides.nextEndMs();
    if (endsAtMs === undefined || disposed) return;
    timer = setTimeout(() => contain(look, onFailure), Math.max(0, endsAtMs - Date.now()) + 1);
  }

  return {
    look,
    schedule,
    [Symbol.dispose]: () => {
      disposed = true;
      clearTimeout(timer);
    },
  };
}
