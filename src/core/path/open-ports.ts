// Which ports of an address pass, for a question that asks for none: any will do, and the answer says which.

import type { IpAddress } from "../model/address.ts";
import { isDnsService, protocolNumbers, renderService, type Service } from "../model/service.ts";
import { intersectServices, subtractServices } from "../model/service-set.ts";
import { addressRights } from "../policy/decide/address-rights.ts";
import { servicesAt } from "../policy/decide/led-to.ts";
import { isClosed, type Policy, serviceOf } from "../policy/decide/policy.ts";
import { decideName } from "../policy/decide.ts";
import { isSingle } from "../policy/entry.ts";
import type { ExplainTarget } from "../policy/target.ts";

/** What is asked for, where no port is. */
export interface AskedProtocol extends Pick<ExplainTarget, "ipProtocol"> {
  readonly eitherProtocol?: true | undefined;
}

/** An address, and what led there. */
export interface OpenAddress {
  readonly address: IpAddress;
  /** Whether it is inside (see NamedAddress); by the address alone where it is not said. */
  readonly inside?: boolean;
  readonly names: readonly string[];
}

/** All that a policy opens of an address, without another lookup of these names than the one that led there. */
export function openServices(
  policy: Policy,
  { address, inside, names }: OpenAddress,
  nowMs: number,
): readonly Service[] {
  if (isClosed(policy)) return [];
  const { granted, taken } = addressRights(policy, address, nowMs);
  const away = taken.map(serviceOf);
  const byAddress = granted.flatMap((match) => {
    const service = serviceOf(match);
    if (!isDnsService(service)) return subtractServices([service], [...away, ...dns]);
    // Only an entry for the server itself names its port 53.
    const { entry } = match;
    return entry.kind === "prefix" && isSingle(entry.prefix) ? subtractServices([service], away) : [];
  });
  const byName = names.flatMap((name) => {
    const decision = decideName(policy, name, nowMs);
    if (!decision.allowed) return [];
    return servicesAt(policy, decision.terms, { address, inside }, nowMs).flatMap((service) =>
      isDnsService(service) ? [service] : subtractServices([service], dns),
    );
  });
  return subtractServices([...byAddress, ...byName], []);
}

/** What of these services is asked for. */
export function askedOf(services: readonly Service[], asked: AskedProtocol): readonly Service[] {
  return intersectServices(services, everyPortOf(asked));
}

/** As text, for people; undefined where every port passes that is not led to us anyway. */
export function renderOpenPorts(
  services: readonly Service[],
  asked: AskedProtocol,
): readonly string[] | undefined {
  const open = askedOf(services, asked);
  const closed = subtractServices(everyPortOf(asked), [...open, ...dns]);
  return closed.length === 0 ? undefined : open.map(renderService);
}

/** A packet that stands for all that pass: of HTTPS if that is open. */
export function exampleOf(
  services: readonly Service[],
  asked: AskedProtocol,
): { readonly protocol: number; readonly port: number } {
  const open = askedOf(services, asked);
  const https = intersectServices(open, [{ protocol: "any", ports: { from: common, to: common } }]);
  const [first] = https.length > 0 ? https : open;
  if (first === undefined) return { protocol: asked.ipProtocol, port: common };
  return {
    protocol: first.protocol === "udp" ? protocolNumbers.udp : protocolNumbers.tcp,
    port: first.ports === "any" ? common : first.ports.from,
  };
}

const common = 443;

const dns: readonly Service[] = [{ protocol: "any", ports: { from: 53, to: 53 } }];

function everyPortOf({ ipProtocol, eitherProtocol }: AskedProtocol): readonly Service[] {
  const tcp = { protocol: "tcp", ports: "any" } as const;
  const udp = { protocol: "udp", ports: "any" } as const;
  if (eitherProtocol === true) return [tcp, udp];
  return [ipProtocol === protocolNumbers.udp ? udp : tcp];
}
