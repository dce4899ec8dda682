// Everything besides labels that decides, and may change while the daemon runs: presets, the policy file, and overrides
// with their ends. A change is in force when `useOther` resolves.

import { contain, contained } from "../core/contain.ts";
import type { OverridesReport } from "../core/model/report/overrides.ts";
import { loadBuiltInPresets } from "../core/policy/built-in-presets.ts";
import { createListStore, type ListStore } from "../core/policy/list-store.ts";
import type { PolicyFile } from "../core/policy/policy-file.ts";
import type { Presets } from "../core/policy/preset.ts";
import type { PolicyFilePlace } from "../edge/host/config/settings.ts";
import type { Log } from "../edge/host/log.ts";
import { followPolicyFile } from "../edge/host/policy-file.ts";
import type { KernelSets } from "../edge/kernel/ipset/kernel-sets.ts";
import {
  changeOverrides,
  type OverrideContext,
  type OverrideRequest,
} from "./api/overrides/change-overrides.ts";
import { createOverrides, type Overrides, reportOverrides } from "./overrides.ts";

export interface PolicySourcesOptions {
  readonly sets: KernelSets;
  readonly policyFile: PolicyFilePlace;
  /** Milliseconds of a clock that only goes forward: overrides end by it. */
  readonly nowMs: () => number;
  readonly log: Log;
}

/** Handles changes. */
export interface PolicyListener {
  /** One sentence about the policy file, or undefined if it is fine. */
  readonly onProblem: (problem: string | undefined) => void;
  /** One sentence about it that breaks nothing, or undefined once it is no longer so. */
  readonly onWarning: (warning: string | undefined) => void;
  /** Called when a change that no command asked for could not be applied; the next look() tries again. */
  readonly onFailure: (error: unknown) => void;
  /** Has everything decided again; resolves when that is in force. */
  readonly useOther: () => Promise<void>;
}

/** As they are now; what they say may be asked for at any time. */
export interface OpenPolicySources extends Disposable {
  readonly store: ListStore;
  readonly overrides: Overrides;
  /** The clock that overrides end by. */
  readonly nowMs: () => number;
  file(): PolicyFile;
  /** Whether a version of the policy file is in force. */
  isFileInForce(): boolean;
  presets(): Presets;
  /** Reports the file's present problem and warning, and follows every source from now on. To be called once. */
  follow(listener: PolicyListener): PolicySources;
}

/** The sources, once a listener follows them. */
export interface PolicySources
  extends Pick<OpenPolicySources, "store" | "overrides" | "nowMs" | "file" | "presets"> {
  /** Makes overrides, or takes them back; in force when it resolves. @throws DockerwallError */
  change(request: OverrideRequest, context: Omit<OverrideContext, "overrides">): Promise<OverridesReport>;
  /** Checks what no event reports: overrides that have ended, a file that changed unseen. */
  look(): void;
}

/** The sets must exist. */
export function openPolicySources({ sets, policyFile, nowMs, log }: PolicySourcesOptions): OpenPolicySources {
  const builtIn = loadBuiltInPresets();
  const store = createListStore(builtIn);
  const overrides = createOverrides({ sets, nowMs });
  /** Undefined until there is a follower: a reader before that gets what there is. */
  let listener: PolicyListener | undefined;
  const news: { problem?: string | undefined; warning?: string | undefined } = {};
  const closing = new DisposableStack();
  const watch = followPolicyFile({
    ...policyFile,
    builtIn,
    onChange: contained(
      () => {
        usePresets();
        // `status` reports a failure here, and the next reconciliation tries again.
        listener?.useOther().catch(() => undefined);
      },
      (error) => listener?.onFailure(error),
    ),
    onProblem: (next) => {
      news.problem = next;
      listener?.onProblem(next);
    },
    onWarning: (next) => {
      news.warning = next;
      listener?.onWarning(next);
    },
  });
  closing.use(watch);

  // The same object while the file is the same: a new object would have every list parsed again.
  let presets: Presets = builtIn;

  function usePresets(): void {
    presets = new Map([...builtIn, ...watch.current().presets]);
    store.usePresets(presets);
  }
  usePresets();

  const now = { store, overrides, nowMs, presets: () => presets, file: watch.current };
  return {
    ...now,
    isFileInForce: watch.isInForce,
    follow(next) {
      listener = next;
      if (news.problem !== undefined) next.onProblem(news.problem);
      if (news.warning !== undefined) next.onWarning(news.warning);
      const ends = closing.use(followEnds(overrides, next, { nowMs, log }));
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
  // Before anything can fail: it ends in the kernel, too.
  ends.schedule();
  await useOther();
  log.info("policy changed", {
    [target.kind]: target.name,
    entry: request.entries.join(" "),
    command: request.verb,
    durationMs: Math.round(performance.now() - from),
  });
  return reportOverrides(target, context.overrides.current());
}

interface OverrideEnds extends Disposable {
  /** Removes ended overrides. @throws DockerwallError if the kernel refuses; they are not in force all the same */
  look(): void;
  /** Waits for the next end. */
  schedule(): void;
}

/** Timed overrides end in the kernel by themselves; the connections that they opened end here. */
function followEnds(
  overrides: Overrides,
  { useOther, onFailure }: PolicyListener,
  { nowMs, log }: Pick<PolicySourcesOptions, "nowMs" | "log">,
): OverrideEnds {
  let timer: NodeJS.Timeout | undefined;
  /** A command that is answered after the end must not have anything done by itself. */
  let disposed = false;

  function look(): void {
    // What ends while we look is looked for next time: who is forgotten must be told of.
    const atMs = nowMs();
    const ended = overrides.ended(atMs);
    try {
      overrides.expire(atMs);
    } finally {
      for (const { target, entry } of ended)
        log.info("override ended", { [target.kind]: target.name, entry });
      // `status` reports a failure here, and the next reconciliation tries again.
      if (ended.length > 0) void useOther().catch(() => undefined);
      schedule();
    }
  }

  function schedule(): void {
    clearTimeout(timer);
    const endsAtMs = overrides.nextEndMs();
    if (endsAtMs === undefined || disposed) return;
    timer = setTimeout(() => contain(look, onFailure), Math.max(0, endsAtMs - nowMs()) + 1);
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
