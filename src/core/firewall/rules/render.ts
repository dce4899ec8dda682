// Rules as text, exactly as iptables-save prints them, so that reading back means comparing text. A value that the
// kernel would refuse or misread is a mistake of ours, and is refused here.

import { parsePrefix, renderPrefix } from "../../model/address.ts";
import { connectionMark, packetMarkMask, unsettledMark } from "../names.ts";
import type { ConntrackState, Mark, Match } from "./match.ts";
import type { Rule, TableName } from "./table.ts";
import type { Target } from "./target.ts";

/** A rule's body, without `-A CHAIN`. @throws Error for a rule that cannot be meant */
export function renderRule({ match, target, comment }: Rule, table: TableName): string {
  const head = renderHead(match);
  checkPlace(target, table, head.get("-p"));
  return [
    ...head.values(),
    ...match.flatMap(renderMatch),
    ...(comment === undefined ? [] : [renderComment(comment)]),
    renderTarget(target),
  ].join(" ");
}

/** What is printed first and in this order, wherever it is said. */
const headFlags = ["-s", "-d", "-i", "-p"] as const;
type HeadFlag = (typeof headFlags)[number];

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

function headOf(match: Match): readonly [HeadFlag, string] | undefined {
  switch (match.kind) {
    case "source":
      return ["-s", `-s ${prefixText(match.prefix)}`];
    case "destination":
      return ["-d", `-d ${prefixText(match.prefix)}`];
    case "in-interface":
      check(/^[\w.-]{1,15}\+?$/.test(match.name), `interface ${match.name}`);
      return ["-i", `${not(match)}-i ${match.name}`];
    case "protocol":
    case "port":
      return ["-p", `-p ${match.protocol}`];
    case "icmpv6-type":
      return ["-p", "-p ipv6-icmp"];
    default:
      return undefined;
  }
}

/** Beyond the head; an empty list where there is nothing. */
function renderMatch(match: Match): readonly string[] {
  switch (match.kind) {
    case "source":
    case "destination":
    case "in-interface":
    case "protocol":
      return [];
    case "port":
      return [`-m ${match.protocol} --dport ${whole(match.port, 1, 0xffff)}`];
    case "icmpv6-type":
      return [`-m icmp6 --icmpv6-type ${whole(match.type, 0, 0xff)}`];
    case "set":
      return [`-m set ${not(match)}--match-set ${match.set} ${match.by}`];
    case "mark":
      return [`-m mark ${not(match)}--mark ${markText(match.mark, packetBits)}`];
    case "connmark":
      return [`-m connmark --mark ${markText(match.mark, connectionMark.mask)}`];
    case "conntrack":
      return [renderConntrack(match)];
    case "local-destination":
      return [`-m addrtype ${not(match)}--dst-type LOCAL`];
    case "hashlimit":
      return [renderHashlimit(match)];
    case "connlimit":
      return [
        `-m connlimit --connlimit-above ${whole(match.above, 0, 0xffff_ffff)} --connlimit-mask ${whole(match.prefixLength, 0, 128)} --connlimit-saddr`,
      ];
    case "owner":
      return [`-m owner --uid-owner ${whole(match.uid, 0, 0xffff_fffe)}`];
    case "hop-limit":
      return [`-m hl --hl-eq ${whole(match.equals, 0, 0xff)}`];
    case "cgroup":
      check(/^[\w.@:/-]+$/.test(match.path), `cgroup ${match.path}`);
      return [`-m cgroup --path ${match.path}`];
  }
}

/** In the order in which iptables prints them. */
const stateOrder: readonly ConntrackState[] = ["INVALID", "NEW", "RELATED", "ESTABLISHED", "DNAT"];

function renderConntrack(match: Extract<Match, { kind: "conntrack" }>): string {
  const { states, confirmed, originalPort, direction } = match;
  return [
    `-m conntrack ${not(match)}--ctstate ${stateOrder.filter((state) => states.includes(state)).join(",")}`,
    ...(confirmed ? ["--ctstatus CONFIRMED"] : []),
    ...(originalPort === undefined ? [] : [`--ctorigdstport ${whole(originalPort, 1, 0xffff)}`]),
    ...(direction === undefined ? [] : [`--ctdir ${direction}`]),
  ].join(" ");
}

function renderHashlimit(match: Extract<Match, { kind: "hashlimit" }>): string {
  const { name, side, perSecond, burst, buckets, sources, expireMs } = match;
  check(/^[\w-]+$/.test(name), `limit ${name}`);
  for (const figure of [perSecond, burst, buckets, sources, expireMs]) whole(figure, 1, 0x7fff_ffff);
  return `-m hashlimit --hashlimit-${side} ${perSecond}/sec --hashlimit-burst ${burst} --hashlimit-mode srcip --hashlimit-name ${name} --hashlimit-htable-size ${buckets} --hashlimit-htable-max ${sources} --hashlimit-htable-expire ${expireMs}`;
}

function renderTarget(target: Target): string {
  switch (target.kind) {
    case "accept":
    case "drop":
    case "return":
      return `-j ${target.kind.toUpperCase()}`;
    case "jump":
      return `-j ${target.chain}`;
    case "goto":
      return `-g ${target.chain}`;
    case "reject":
      return `-j REJECT --reject-with ${target.with}`;
    case "set-mark":
      return `-j MARK --set-xmark ${markText(target.mark, packetBits)}`;
    case "clear-whole-mark":
      return "-j MARK --set-xmark 0x0/0xffffffff";
    case "set-connmark":
      return `-j CONNMARK --set-xmark ${markText(target.mark, connectionMark.mask)}`;
    case "add-to-set":
      return `-j SET --add-set ${target.set} ${target.by}`;
    case "queue":
      return `-j NFQUEUE --queue-num ${whole(target.number, 0, 0xffff)}${target.bypass ? " --queue-bypass" : ""}`;
    case "notrack":
      return "-j CT --notrack";
    case "redirect":
      return `-j REDIRECT --to-ports ${whole(target.port, 1, 0xffff)}`;
  }
}

/** Targets that work in one table only, or with one kind of packet. */
function checkPlace(target: Target, table: TableName, protocol: string | undefined): void {
  if (target.kind === "reject") {
    check(table === "filter", `REJECT in table ${table}`);
    check(target.with !== "tcp-reset" || protocol === "-p tcp", "tcp-reset for what is not TCP");
  } else if (target.kind === "notrack") {
    check(table === "raw", `CT in table ${table}`);
  } else if (target.kind === "redirect") {
    check(table === "nat", `REDIRECT in table ${table}`);
    check(protocol === "-p tcp" || protocol === "-p udp", "a port of a protocol without any");
  } else if (target.kind === "drop") {
    check(table !== "nat", "DROP in table nat, which sees the first packet of a flow only");
  }
}

const packetBits = packetMarkMask | unsettledMark;

/** A bit outside of its mask never matches, and one that is written is turned round. The bits of others are theirs. */
function markText({ value, mask }: Mark, ours: number): string {
  const text = `${hex(value)}/${hex(mask)}`;
  check(mask !== 0 && (value & ~mask) === 0, `mark ${text}: a bit outside of its mask`);
  check((mask & ~ours) === 0, `mark ${text}: a bit that is not ours`);
  return text;
}

function renderComment(comment: string): string {
  check(/^[\w ,.:-]{1,255}$/.test(comment), `comment ${comment}`);
  return `-m comment --comment ${/^[\w-]+$/.test(comment) ? comment : `"${comment}"`}`;
}

const hex = (value: number): string => `0x${value.toString(16)}`;
const not = ({ not: negated }: { readonly not?: true }): string => (negated ? "! " : "");

function prefixText(text: string): string {
  const prefix = parsePrefix(text);
  check(prefix !== undefined && renderPrefix(prefix) === text, `prefix ${text}`);
  return text;
}

function whole(value: number, least: number, most: number): number {
  check(Number.isInteger(value) && value >= least && value <= most, `${value} is not in ${least}..${most}`);
  return value;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`no rule of ours can be meant so: ${what}`);
}
