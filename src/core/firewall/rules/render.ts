// Rules as text, exactly as iptables-save prints them, so that reading back means comparing text. What cannot be meant is
// refused: a value by the table of its kind, and what contradicts itself here.

import { headOf, type Match, textOf } from "./match.ts";
import { type HeadFlag, headFlags } from "./match-kind.ts";
import { check, type TableName } from "./parts.ts";
import type { Jump, Rule } from "./table.ts";
import { targetText } from "./target.ts";

/** A rule's body, without `-A CHAIN`. @throws Error for a rule that cannot be meant */
export function renderRule({ match, target, comment }: Rule, table: TableName): string {
  const head = renderHead(match);
  return [
    ...head.values(),
    ...match.flatMap((each) => textOf(each) ?? []),
    ...(comment === undefined ? [] : [renderComment(comment)]),
    targetText(target, table, head.get("-p")),
  ].join(" ");
}

/** The body of a jump. */
export function renderJump({ chain, match = [] }: Pick<Jump, "chain" | "match">, table: TableName): string {
  return renderRule({ match, target: { kind: "jump", chain } }, table);
}

function renderHead(match: readonly Match[]): ReadonlyMap<HeadFlag, string> {
  const said = match.map(headOf).filter((each) => each !== undefined);
  return new Map(
    headFlags.flatMap((flag) => {
      const [text, ...others] = new Set(said.flatMap((each) => (each[0] === flag ? [each[1]] : [])));
      check(others.length === 0, `${text} and ${others.join(" and ")} in one rule`);
      return text === undefined ? [] : [[flag, text] as const];
    }),
  );
}

function renderComment(comment: string): string {
  check(/^[\w ,.:-]{1,255}$/.test(comment), `comment ${comment}`);
  return `-m comment --comment ${/^[\w-]+$/.test(comment) ? comment : `"${comment}"`}`;
}
