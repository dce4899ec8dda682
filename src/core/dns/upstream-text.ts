// How a resolver is written in a setting or a label. Addresses only: a name would itself have to be looked up.

import { bracketed, parseAddress } from "../model/address.ts";
import type { Upstream } from "../model/upstream.ts";

/** Most that one network, or the daemon, asks. */
export const maxUpstreams = 8;

/** What a resolver may look like, for messages. */
export const upstreamForms =
  "ADDRESS, ADDRESS:PORT, tls://ADDRESS[:PORT]#NAME or https://ADDRESS[:PORT]/PATH#NAME";

/**
 * `192.0.2.1`, `192.0.2.1:5300`, `2001:db8::1`, `[2001:db8::1]:5300`; over TLS with `tls://` before and, behind `#`,
 * the name that the certificate must hold, or without it the address; over HTTPS the same with `https://` and a path.
 * Undefined for anything else.
 */
export function parseUpstream(text: string): Upstream | undefined {
  const [, scheme, place = "", path = "", serverName] =
    /^(?:(tls|https):\/\/)?([^/#]+)(\/[^#\s]*)?(?:#([A-Za-z0-9._-]+))?$/.exec(text) ?? [];
  if (scheme !== "https" && path !== "") return undefined;
  if (scheme === undefined && serverName !== undefined) return undefined;
  const at = parsePlace(place, defaultPorts[scheme ?? "plain"] ?? 53);
  if (at === undefined || scheme === undefined) return at;
  const httpPath = path === "" || path === "/" ? "/dns-query" : path;
  return { ...at, tls: { serverName, ...(scheme === "https" ? { httpPath } : {}) } };
}

const defaultPorts: Readonly<Record<string, number>> = { plain: 53, tls: 853, https: 443 };

function parsePlace(text: string, defaultPort: number): Upstream | undefined {
  const bare = parseAddress(/^\[([^\]]+)\]$/.exec(text)?.[1] ?? text);
  if (bare !== undefined) return { address: bare, port: defaultPort };
  const [, bracketed, plain, digits = ""] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const address = parseAddress(bracketed ?? plain ?? "");
  const port = Number(digits);
  return address !== undefined && port >= 1 && port <= 65_535 ? { address, port } : undefined;
}

/** In the form in which it can be written. */
export function renderUpstream({ address, port, tls }: Upstream): string {
  if (tls === undefined) return `${address} port ${port}`;
  const host = bracketed(address);
  const name = tls.serverName === undefined ? "" : `#${tls.serverName}`;
  return tls.httpPath === undefined
    ? `tls://${host}:${port}${name}`
    : `https://${host}:${port}${tls.httpPath}${name}`;
}
