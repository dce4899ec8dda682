// The kernel's refusal of a netlink request, and what it means.
// @see netlink(7), net/netlink/af_netlink.c

import { constants } from "node:os";
import { getSystemErrorName } from "node:util";
import { DockerwallError, type ErrorCode } from "../../../errors.ts";
import { isPrivilegeErrno } from "../libc.ts";
import {
  align,
  eachAttribute,
  HEADER_SIZE,
  type NetlinkMessage,
  NLMSG_DONE,
  readBytes,
  readHostInt,
  readText,
} from "./message.ts";

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

const { ENOENT, ENODEV, EBUSY, EOPNOTSUPP, EPROTONOSUPPORT, EAFNOSUPPORT } = constants.errno;

/** What a refusal means for the caller. */
export type RefusalReason = "missing" | "no-interface" | "in-use" | "other";

/** By number: to Node, EOPNOTSUPP has the name ENOTSUP. */
const unsupportedErrnos: ReadonlySet<number> = new Set([EOPNOTSUPP, EPROTONOSUPPORT, EAFNOSUPPORT]);

/** The kernel's refusal of one message of a request. */
export class NetlinkError extends DockerwallError {
  /** Positive; subsystems have their own above 4096. */
  readonly errno: number;
  readonly reason: RefusalReason;
  /** Which message of the request was refused, from 0. */
  readonly index: number;
  /** The refused message as the kernel sent it back, without its header; empty when it did not. */
  readonly echo: Uint8Array;

  constructor(what: string, index: number, { errno, hint, echo }: Refusal) {
    const said = hint === "" ? "" : ` (${hint})`;
    super(codeOf(errno), `the kernel refused ${what}: ${getSystemErrorName(-errno)}${said}`);
    this.name = "NetlinkError";
    this.errno = errno;
    this.reason = reasonOf(errno);
    this.index = index;
    this.echo = echo;
  }
}

/** True when what a request is about is not there (any more). */
export function isMissing(error: unknown): error is NetlinkError {
  return error instanceof NetlinkError && error.reason === "missing";
}

/** True when the interface that a request is about is not there (any more). */
export function isInterfaceMissing(error: unknown): error is NetlinkError {
  return error instanceof NetlinkError && error.reason === "no-interface";
}

/** True when what was to be removed has something in it, or something that refers to it. */
export function isInUse(error: unknown): error is NetlinkError {
  return error instanceof NetlinkError && error.reason === "in-use";
}

interface Refusal {
  readonly errno: number;
  /** What the kernel adds in words; may be empty. */
  readonly hint: string;
  readonly echo: Uint8Array;
}

/** What an acknowledgement, or the end of a dump, says of message `index`; undefined where it was not refused. */
export function refusalIn(message: NetlinkMessage, what: string, index: number): NetlinkError | undefined {
  const { view, start, end } = message;
  if (start + 4 > end) return undefined;
  const code = readHostInt(view, start);
  if (code >= 0) return undefined;
  if (message.type === NLMSG_DONE)
    return new NetlinkError(what, index, { errno: -code, hint: "", echo: new Uint8Array() });
  const echoStart = start + 4 + HEADER_SIZE;
  const capped = (message.flags & NLM_F_CAPPED) !== 0;
  const echoEnd = capped ? echoStart : Math.min(end, start + 4 + readHostInt(view, start + 4));
  let hint = "";
  if ((message.flags & NLM_F_ACK_TLVS) !== 0) {
    eachAttribute(view, align(echoEnd), end, (type, from, to) => {
      if (type === NLMSGERR_ATTR_MSG) hint = readText(view, from, to);
    });
  }
  const echo = readBytes(view, echoStart, Math.max(echoStart, echoEnd));
  return new NetlinkError(what, index, { errno: -code, hint, echo });
}

function reasonOf(errno: number): RefusalReason {
  switch (errno) {
    case ENOENT:
      return "missing";
    case ENODEV:
      return "no-interface";
    case EBUSY:
      return "in-use";
    default:
      return "other";
  }
}

function codeOf(errno: number): ErrorCode {
  if (isPrivilegeErrno(errno)) return "NO_PRIVILEGE";
  return unsupportedErrnos.has(errno) ? "KERNEL_UNSUPPORTED" : "KERNEL_REFUSED";
}
