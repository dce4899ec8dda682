// Rules, chains and tables as values. One place turns them into text (render.ts), another plans the changes (plan.ts).

import type { ChainName } from "../names.ts";
import type { Match } from "./match.ts";
import type { TableName } from "./parts.ts";
import type { Target } from "./target.ts";

export interface Rule {
  /** All of them; none means every packet. Their order is that of the text, not of importance. */
  readonly match: readonly Match[];
  readonly target: Target;
  /** What a listing of the rules says of it. Jumps in built-in chains have none. */
  readonly comment?: string;
}

export interface Chain {
  readonly name: ChainName;
  readonly rules: readonly Rule[];
}

export interface Jump {
  readonly hook: string;
  readonly chain: ChainName;
  /** Which packets it leads there; every one without. Each packet of the host walks the jump, few what is behind it. */
  readonly match?: readonly Match[];
  /** True where the hook is a chain of other software, which may not be there; then there is no jump. */
  readonly optional?: boolean;
  /** A chain of other software, where another jump stands: none is needed here while the hook leads there. */
  readonly unless?: string;
}

export interface Table {
  readonly name: TableName;
  readonly chains: readonly Chain[];
  /** Jumps that must stand first, and once, in a built-in chain. */
  readonly jumps: readonly Jump[];
  /** Chains of ours that are left alone, with the jumps to them, whether they are there or not. */
  readonly spared?: readonly ChainName[];
}

export function rule(comment: string, match: readonly Match[], target: Target): Rule {
  return { match, target, comment };
}
