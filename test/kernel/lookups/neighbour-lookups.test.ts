// A DNS server on a guarded container's own network waits in no queue of ours: where iptables sees bridged packets, no
// limit of ours counts the connections that begin there.

import assert from "node:assert/strict";
import { after, it } from "node:test";
import { enterNamespaces } from "../../support/namespace.ts";
import { raiseWall } from "../../support/sandbox-plane.ts";
import { makeFilteredBridges, startNeighbours } from "../../support/two-neighbours.ts";

enterNamespaces(import.meta.url);

makeFilteredBridges();
const wall = await raiseWall();
after(() => wall.remove());

/** More than the burst, within a second or two. */
const connections = 1_500;
/** Each is refused; says how many were. */
const connects = `
import socket, sys
refused = 0
for i in range(${connections}):
    s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(0.5)
    try:
        s.connect((sys.argv[1], 53))
    except ConnectionRefusedError:
        refused += 1
    except TimeoutError:
        break
    s.close()
print(refused)
`;

it("connections for lookups to a neighbour are not counted", async (t) => {
  const { web } = await startNeighbours(t);
  for (const neighbour of ["198.19.1.3", "2001:db8:1::3"])
    assert.equal(web.run("python3", "-c", connects, neighbour).trim(), `${connections}`, neighbour);
  // By the same rules: to the host, more than the burst does not come through at once.
  assert.notEqual(web.run("python3", "-c", connects, "198.19.1.1").trim(), `${connections}`);
});
