// The interfaces of guarded containers that neither the engine nor they themselves have made: closed at once, and told
// when the engine has listed its networks since, as one of them may be the way to a network that it has just made.

import {
  foreignAmong,
  foreignSentence,
  type SandboxInterface,
} from "../../core/askers/foreign-interfaces.ts";
import type { Asker } from "../../core/askers/knowledge.ts";
import type { Standing } from "../../core/askers/standing.ts";
import { readLabels } from "../../core/labels/read.ts";
import type { FoundInside } from "../../edge/sandbox/addresses.ts";
import type { Port } from "../../edge/sandbox/ports/ports.ts";
import type { EngineView, SandboxView } from "./standing-options.ts";

export interface ForeignInterfacesOptions {
  readonly engine: Pick<EngineView, "indexNow" | "whoIs" | "mayMakeInterfaces" | "listedAtMs">;
  readonly found: Pick<SandboxView, "hasOwnUsers">;
  readonly nowMs: () => number;
  /** What there is to say now, one sentence for each container. */
  readonly onChange: (sentences: readonly string[]) => void;
}

/** A sandbox as it was judged. */
export interface JudgedSandbox {
  readonly asker: Asker & { readonly sandbox: string };
  readonly standing: Standing;
  readonly found: FoundInside;
  /** Its ports. */
  readonly its: readonly Port[];
}

export class ForeignInterfaces {
  readonly #options: ForeignInterfacesOptions;
  /** By sandbox. */
  readonly #closed = new Map<string, readonly SandboxInterface[]>();
  /** When each was met, by its index. */
  readonly #metAtMs = new Map<string, ReadonlyMap<number, number>>();
  readonly #sentences = new Map<string, string>();

  constructor(options: ForeignInterfacesOptions) {
    this.#options = options;
  }

  /** Until the engine has told whose the sandbox is, it stays as it was. @returns whether a list of the engine is awaited */
  judge(judged: JudgedSandbox): boolean {
    const { asker, standing } = judged;
    const { sandbox } = asker;
    const container = this.#options.engine.whoIs(asker);
    if (standing.kind === "open") this.gone(sandbox);
    if (standing.kind !== "guarded" || container === undefined) return false;
    const foreign = this.#foreignIn(judged);
    const isAccepted =
      foreign.length > 0 && readLabels("container", container).labels.accept.includes("foreign-interface");
    const isAudited = standing.memberships.every(({ labels }) => labels.mode === "audit");
    this.#closed.set(sandbox, isAccepted || isAudited ? [] : foreign);
    const isAwaited = this.#note(sandbox, foreign);
    if (isAwaited && !isAccepted) return true;
    const isTold = foreign.length > 0 && !isAccepted;
    this.#tell(sandbox, isTold ? foreignSentence(container.name, foreign, !isAudited) : undefined);
    return false;
  }

  /** By which nothing may leave a sandbox; undefined where that is not known, or it is not guarded. */
  closedIn(sandbox: string): readonly SandboxInterface[] | undefined {
    return this.#closed.get(sandbox);
  }

  gone(sandbox: string): void {
    this.#closed.delete(sandbox);
    this.#metAtMs.delete(sandbox);
    this.#tell(sandbox, undefined);
  }

  #foreignIn({ asker, found, its }: JudgedSandbox): readonly SandboxInterface[] {
    const { engine, found: inside } = this.#options;
    const index = engine.indexNow();
    const ports = its.filter(({ bridge }) => bridge !== undefined && index.networkOn(bridge) !== undefined);
    // A network of another kind (macvlan, overlay) has no ports: its interface has the address that the engine gave.
    const others = found.addresses.filter(({ address }) => {
      const given = index.givenTo(address);
      return given?.sandbox === asker.sandbox && given.bridge === undefined;
    });
    return foreignAmong(found.interfaces, {
      engines: new Set([...ports.map(({ peer }) => peer ?? 0), ...others.map((each) => each.index)]),
      toHost: new Set(its.map(({ peer }) => peer ?? 0)),
      addressed: new Set(found.addresses.map((each) => each.index)),
      // Where the sandbox has users of its own, root in it may whatever the engine says (sysbox).
      mayMake: () => engine.mayMakeInterfaces(asker) || inside.hasOwnUsers(asker.sandbox),
    });
  }

  /** @returns whether the engine has not listed its networks since one of them was met */
  #note(sandbox: string, foreign: readonly SandboxInterface[]): boolean {
    const { engine, nowMs } = this.#options;
    const before = this.#metAtMs.get(sandbox);
    const metAtMs = new Map(foreign.map(({ index }) => [index, before?.get(index) ?? nowMs()]));
    if (metAtMs.size === 0) this.#metAtMs.delete(sandbox);
    else this.#metAtMs.set(sandbox, metAtMs);
    return [...metAtMs.values()].some((met) => engine.listedAtMs() <= met);
  }

  #tell(sandbox: string, sentence: string | undefined): void {
    if (this.#sentences.get(sandbox) === sentence) return;
    if (sentence === undefined) this.#sentences.delete(sandbox);
    else this.#sentences.set(sandbox, sentence);
    this.#options.onChange([...this.#sentences.values()]);
  }
}
