// A resolver that we ask.

import type { IpAddress } from "./address.ts";

/** A resolver to ask: with `tls` over TLS or HTTPS and no other way, else by UDP and TCP. */
export interface Upstream {
  readonly address: IpAddress;
  readonly port: number;
  readonly tls?: UpstreamTls;
  /** Whom a stub of the host's asks in turn, where that can be told. */
  readonly leadsTo?: readonly IpAddress[];
}

export interface UpstreamTls {
  /** The name that the certificate must hold; undefined demands the address in it. */
  readonly serverName: string | undefined;
  /** Where DNS over HTTPS is served; undefined is DNS over TLS. */
  readonly httpPath?: string;
  /** Certificates to trust in PEM; undefined trusts what Node does (NODE_EXTRA_CA_CERTS adds to it). */
  readonly authorities?: string;
}
