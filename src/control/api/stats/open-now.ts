// Which denied packets would pass by what lookups have opened since. The data plane knows it by asker: to list the kernel's
// sets takes 8 µs for each entry of any asker, seconds of this thread where they are full.

import type { DeniedRecord } from "../../../core/journal/denied-record.ts";
import { familyOf } from "../../../core/model/address.ts";
import { shortId, type Topology } from "../../../core/model/topology.ts";
import { connectionOf } from "../../../core/suggest/observed.ts";
import type { DataPlaneLink } from "../../../planes/link.ts";
import type { AskersPacket } from "../../../planes/request-table.ts";

/** Tells it of each packet as it was sent, and as its container would send it by another of its networks. */
export async function readOpen(
  denied: readonly DeniedRecord[],
  { containers }: Topology,
  areOpen: DataPlaneLink["areOpen"],
): Promise<(packet: AskersPacket) => boolean> {
  const addresses = new Map(
    containers.map(({ id, endpoints }) => [shortId(id), endpoints.flatMap((each) => each.addresses)]),
  );
  const packets = new Map<string, AskersPacket>();
  for (const record of denied) {
    const { asker, container, destination, ipProtocol, port } = connectionOf(record);
    const own = addresses.get(container?.id ?? "") ?? [];
    for (const each of [asker, ...own]) {
      if (familyOf(each) !== familyOf(destination)) continue;
      const packet = { asker: each, destination, ipProtocol, port };
      packets.set(keyOf(packet), packet);
    }
  }
  const keys = [...packets.keys()];
  const open = keys.length === 0 ? [] : await areOpen([...packets.values()]);
  const passing = new Set(keys.filter((_, index) => open[index] === true));
  return (packet) => passing.has(keyOf(packet));
}

function keyOf({ asker, destination, ipProtocol, port }: AskersPacket): string {
  return `${asker} ${destination} ${ipProtocol} ${port}`;
}
