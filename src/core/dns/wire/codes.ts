// The DNS protocol numbers that we decide by (IANA "Domain Name System (DNS) Parameters").

/** Response codes; those above 15 need the OPT record (RFC 6891 6.1.3). */
export const rcodes = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
  badVers: 16,
} as const;

export type Rcode = (typeof rcodes)[keyof typeof rcodes];

/** The Internet, the only class that we serve. */
export const classIn = 1;

/** The option of EDNS that holds one (RFC 8914 2). */
export const extendedErrorOption = 15;

/** Codes of Extended DNS Errors (RFC 8914). */
export const extendedErrors = {
  other: 0,
  staleAnswer: 3,
  cachedError: 13,
  notReady: 14,
  blocked: 15,
  notSupported: 21,
  noReachableAuthority: 22,
  networkError: 23,
} as const;

/** What says why, beside the rcode, to a client that sent EDNS (RFC 8914). */
export interface ExtendedError {
  readonly code: (typeof extendedErrors)[keyof typeof extendedErrors];
  /** Cut to 200 bytes of UTF-8 when rendered. */
  readonly text: string;
}

/** Bits of the second 16-bit word of the header (RFC 1035 4.1.1, RFC 4035 3). */
export const flagBits = {
  response: 0x8000,
  opcode: 0x7800,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  authenticData: 0x0020,
  checkingDisabled: 0x0010,
  rcode: 0x000f,
} as const;

/** Bytes of the header. */
export const headerLength = 12;

/** What we say we take by UDP, and the most that we send by it: no fragments anywhere (DNS flag day 2020). */
export const maxUdpPayload = 1232;

/** What a client without EDNS takes by UDP (RFC 1035 4.2.1). */
export const plainUdpPayload = 512;

/** What the length prefix of a stream can say (RFC 1035 4.2.2). */
export const maxTcpPayload = 65_535;
