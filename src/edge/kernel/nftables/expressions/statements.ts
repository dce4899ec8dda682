// What a rule does with a packet: it decides on it, or changes it.
// @see include/uapi/linux/netfilter/nf_tables.h

import { AF_INET } from "../../libc.ts";
import { hostBytes } from "../../netlink/message.ts";
import { datum, immediateOf, payload, payloadSet, verdictOf, verdicts } from "../numbers.ts";
import { PAYLOAD_TRANSPORT } from "./headers.ts";
import { loadMeta, META_IIF, META_MARK, storeMeta } from "./meta.ts";
import {
  bitwise,
  type Expression,
  expressionOf,
  immediate,
  portBytes,
  REGISTER_1,
  REGISTER_2,
} from "./registers.ts";

/** The register of the verdict. */
const REGISTER_VERDICT = 0;
/** NFTA_NAT_… */
const nat = { type: 1, family: 2, address: 3, port: 5 } as const;
/** NFT_NAT_DNAT */
const NAT_DNAT = 1;

/** `accept` or `drop` */
export function verdict(name: keyof typeof verdicts): Expression {
  return expressionOf("immediate", (writer) => {
    writer
      .u32be(immediateOf.register, REGISTER_VERDICT)
      .nest(immediateOf.data)
      .nest(datum.verdict)
      .u32be(verdictOf.code, verdicts[name])
      .end()
      .end();
  });
}

/** `dnat to ADDRESS:PORT` */
export function destinationNat(address: Uint8Array, port: number): Expression {
  return (writer) => {
    immediate(REGISTER_1, address)(writer);
    immediate(REGISTER_2, portBytes(port))(writer);
    expressionOf("nat", (inner) =>
      inner
        .u32be(nat.type, NAT_DNAT)
        .u32be(nat.family, AF_INET)
        .u32be(nat.address, REGISTER_1)
        .u32be(nat.port, REGISTER_2),
    )(writer);
  };
}

/** `th sport set PORT`, after transportProtocol(); the checksum stays as it is. */
export function setSourcePort(port: number): Expression {
  return setPort(0, port);
}

/** `th dport set PORT`, after transportProtocol(); the checksum stays as it is. */
export function setDestinationPort(port: number): Expression {
  return setPort(2, port);
}

/** `meta mark set meta mark or BITS` */
export function setMarkBits(bits: number): Expression {
  return (writer) => {
    loadMeta(META_MARK)(writer);
    bitwise(hostBytes(~bits), hostBytes(bits))(writer);
    storeMeta(META_MARK)(writer);
  };
}

/** `meta mark set meta iif or BITS`; indexes of interfaces have no such bits */
export function setMarkToInput(bits: number): Expression {
  return (writer) => {
    loadMeta(META_IIF)(writer);
    bitwise(hostBytes(~bits), hostBytes(bits))(writer);
    storeMeta(META_MARK)(writer);
  };
}

function setPort(offset: number, port: number): Expression {
  const bytes = portBytes(port);
  return (writer) => {
    immediate(REGISTER_1, bytes)(writer);
    expressionOf("payload", (inner) =>
      inner
        .u32be(payloadSet.register, REGISTER_1)
        .u32be(payload.base, PAYLOAD_TRANSPORT)
        .u32be(payload.offset, offset)
        .u32be(payload.length, bytes.length),
    )(writer);
  };
}
