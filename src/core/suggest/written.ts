// What an entry opens that is written for the services that were seen: the ports one by one while they are few.

import { anyService, isDnsService, type Service } from "../model/service.ts";
import { subtractServices } from "../model/service-set.ts";

/** Distinct ranges of ports after which every port of the protocol is written. */
const mostRanges = 8;

/** The services of the entries; of one entry for everything where none was seen, or one that no entry can name. */
export function writtenServices(seen: readonly Service[]): readonly Service[] {
  // Port 53 counts only where it is named by itself.
  const lookups = subtractServices(seen.filter(isDnsService), []);
  const others = seen.filter((service) => !isDnsService(service));
  return others.length === 0 && lookups.length > 0 ? lookups : [...writtenTogether(others), ...lookups];
}

function writtenTogether(seen: readonly Service[]): readonly Service[] {
  const services = subtractServices(seen, []);
  if (services.length === 0 || services.some(({ protocol }) => protocol === "other")) return [anyService];
  if (services.length <= mostRanges) return services;
  const protocols = new Set(services.map(({ protocol }) => protocol));
  const [only] = protocols;
  return [protocols.size === 1 && only !== undefined ? { protocol: only, ports: "any" } : anyService];
}
