// The main job over IPv6: a network with addresses that the internet routes back to.

import assert from "node:assert/strict";
import { client, curl, fails, inside, network, stats, succeeds } from "../../support/dockerwall.ts";
import type { Lab } from "../../support/lab/lab.ts";

const denied = "2001:db8:2::30";
/** v6only.example.com */
const granted = "2001:db8:1::13";

/** On a network with the addresses that are routed to the engine's host. */
export async function guardsIpv6(lab: Lab, name: string): Promise<void> {
  const engine = lab.engine(name);
  const subnet = engine.link.prefix6.replace("00::/40", "01::/64");
  await network(engine, "six", "*.example.com", "--ipv6", "--subnet", subnet);
  await client(engine, "web6", "six");
  const capture = await lab.capture(name, `ip6 and (dst host ${denied} or dst host ${granted})`);
  await fails(engine, "web6", ...curl("--max-time", "1", `http://[${denied}]/`));
  await fails(engine, "web6", "ping", "-6", "-c", "1", "-W", "1", denied);
  await inside(engine, "web6", "sh", "-c", `echo x | nc -6 -u -w 1 ${denied} 9000`);
  await fails(engine, "web6", ...curl("--max-time", "1", `http://[${granted}]/`));
  assert.deepEqual(await capture.packets(), []);
  await succeeds(engine, "web6", ...curl("http://v6only.example.com/"));
  await succeeds(engine, "web6", ...curl("-6", "https://www.example.com/"));
  await fails(engine, "web6", ...curl("-6", "http://www.example.org/"));
  const packets = await capture.stop();
  assert.ok(packets.length > 3, "the capture sees IPv6");
  assert.deepEqual([...new Set(packets.map(({ dst }) => dst))], [granted]);
  const drops = (await stats(engine)).networks.find((entry) => entry.network === "six")?.drops ?? [];
  assert.ok(drops.some((drop) => drop.destination === denied && drop.service === "tcp:80"));
}
