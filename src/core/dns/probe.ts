// Our own questions, and the reading of our own answers, by a library: they are few, and nobody waits for them. What clients
// and upstreams send is walked by wire/, which takes nothing on trust.

import dnsPacket, { type Answer, type DecodedPacket, type OptAnswer } from "dns-packet";
import { type IpAddress, parseAddress } from "../model/address.ts";
import { circleWords } from "./circles.ts";
import { blockedBy } from "./resolve/denial.ts";
import { extendedErrorOption, maxUdpPayload, rcodes } from "./wire/codes.ts";
import { rootName } from "./wire/name.ts";
import type { Question } from "./wire/question.ts";
import { types } from "./wire/record-types.ts";
import { rcodeOf } from "./wire/upstream-query.ts";

/** A name that no list can allow: only our denial of it carries our words; another answer came past us. */
export const canaryName = "dockerwall-canary.invalid";

/** For the name servers of the root, which every resolver can name. */
export const rootQuestion: Question = { name: ".", qname: rootName, type: types.ns };

/** Asks for the canary's address as a container would, with EDNS so that the denial explains itself. */
export function canaryQuery(): Uint8Array {
  return renderQuery(canaryName, "A", [explanationsWanted]);
}

/** Asks for the addresses of a name of plain text as a stub resolver would, without EDNS. */
export function addressQuery(name: string, type: "A" | "AAAA"): Uint8Array {
  return renderQuery(name, type, []);
}

/** What an answer of ours to a question for addresses says. */
export interface AddressAnswer {
  /** By its IANA name. */
  readonly rcode: string;
  readonly addresses: readonly IpAddress[];
  /** Least of its records; 0 without any. */
  readonly ttlSeconds: number;
}

/** Reads an answer that we made ourselves. @throws what dns-packet throws, for bytes that are no message */
export function readAddressAnswer(answer: Uint8Array): AddressAnswer {
  const { rcode, answers, authorities } = decode(answer);
  const ttls = [...answers, ...authorities].flatMap((record) => ("ttl" in record ? (record.ttl ?? 0) : []));
  return {
    rcode,
    addresses: answers.flatMap((record) =>
      record.type === "A" || record.type === "AAAA" ? (parseAddress(record.data) ?? []) : [],
    ),
    ttlSeconds: ttls.length === 0 ? 0 : Math.min(...ttls),
  };
}

/** True for NXDOMAIN with our Extended DNS Error, and for our answer to a resolver in a circle. */
export function isOurDenial(answer: Uint8Array | undefined): boolean {
  const explained = answer === undefined ? undefined : readExplanation(answer);
  if (explained === undefined) return false;
  const { rcode, code, text } = explained;
  const ours = blockedBy({ allowed: false, network: "", by: [] });
  if (rcode === "SERVFAIL") return text.includes(circleWords);
  return rcode === "NXDOMAIN" && code === ours.code && text.startsWith(ours.text);
}

/**
 * Why an answer to the question for the root is none: undefined for one that is. Everybody has a root, and a resolver
 * that says otherwise was denied it, by us or by another; one that fails has nobody who answers it, and one that refuses
 * serves others.
 */
export function rootProblem(answer: Uint8Array): string | undefined {
  switch (rcodeOf(answer)) {
    case rcodes.nxDomain:
      return "a resolver answers that the root does not exist (NXDOMAIN): its own lookup was denied; if it is a container on a guarded network, move it to a network without dockerwall.allow";
    case rcodes.servFail:
      return "a resolver answers that it cannot look up the root (SERVFAIL): it reaches nobody itself";
    case rcodes.refused:
      return `a resolver refuses to look up the root (REFUSED): it serves other clients than this host, or only names of its own; ${otherResolver}`;
    case rcodes.noError:
      return undefined;
    default:
      return `a resolver answers the question for the root with ${nameOfRcode(rcodeOf(answer))}: what listens there is none that looks up names for others; ${otherResolver}`;
  }
}

const otherResolver =
  "let it serve this host, or name another one (DOCKERWALL_UPSTREAM, or the label dockerwall.upstream of the network)";

function nameOfRcode(rcode: number): string {
  if (rcode === rcodes.formErr) return "FORMERR";
  return rcode === rcodes.notImp ? "NOTIMP" : `code ${rcode}`;
}

/** Any that is not 0 will do: one answer is waited for at a time, on a socket of its own. */
const queryId = 0x6477;

const explanationsWanted: OptAnswer = {
  type: "OPT",
  name: ".",
  udpPayloadSize: maxUdpPayload,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};

function renderQuery(name: string, type: "A" | "AAAA", additionals: readonly Answer[]): Uint8Array {
  return dnsPacket.encode({
    type: "query",
    id: queryId,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type, class: "IN" }],
    additionals: [...additionals],
  });
}

type Message = DecodedPacket & {
  readonly rcode: string;
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
  readonly additionals: readonly Answer[];
};

/** The package's types leave out that it fills in every section, and the rcode. */
function decode(message: Uint8Array): Message {
  return dnsPacket.decode(Buffer.from(message)) as Message;
}

/** The Extended DNS Error (RFC 8914) of an answer that came in a sandbox; undefined when it holds none. */
function readExplanation(
  answer: Uint8Array,
): { readonly rcode: string; readonly code: number; readonly text: string } | undefined {
  try {
    const { rcode, additionals } = decode(answer);
    const options: readonly Option[] = additionals.flatMap((each) =>
      each.type === "OPT" ? each.options : [],
    );
    const data = options.find(({ code }) => code === extendedErrorOption)?.data;
    return data && { rcode, code: data.readUInt16BE(0), text: data.toString("utf8", 2) };
  } catch {
    // No message at all, and not ours.
    return undefined;
  }
}

/** The package's types know only some codes. */
interface Option {
  readonly code: number;
  readonly data?: Buffer | undefined;
}
