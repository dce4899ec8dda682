// There may be a hundred thousand live grants: what is remembered of each is bounded.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { EntryIndex } from "../../../../src/core/grants/entry-index.ts";
import { GrantLedger } from "../../../../src/core/grants/ledger.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import type { Service } from "../../../../src/core/model/service.ts";

const count = 20_000;
const service: Service = { protocol: "tcp", ports: { from: 443, to: 443 } };

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes of the heap that remain for each grant. */
function bytesOf(note: (asker: IpAddress, destination: IpAddress, index: number) => void): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let index = 0; index < count; index++)
    note(
      `198.18.0.${2 + (index >> 13)}` as IpAddress,
      `198.19.${(index >> 8) & 255}.${index & 255}` as IpAddress,
      index,
    );
  collect();
  return (process.memoryUsage().heapUsed - before) / count;
}

test("a grant is remembered in 420 bytes, and an entry of the kernel in 180", () => {
  const ledger = new GrantLedger({ pairsPerAsker: 8_192, renewalGainSeconds: 150 });
  const index = new EntryIndex();
  const ofLedger = bytesOf((asker, destination, number) =>
    ledger.record(
      [{ asker, destination, domain: `n${number}.example.org`, service, leaseSeconds: 600 }],
      0.5,
    ),
  );
  const ofIndex = bytesOf((second, first) =>
    index.note("grant4", { kind: "ip-port-ip", first, protocol: 6, port: 443, second }, 600_000.5),
  );
  assert.ok(ofLedger < 420 && ofIndex < 180, `${ofLedger.toFixed(0)} and ${ofIndex.toFixed(0)} bytes`);
  // Both are in use until here.
  assert.equal(ledger.isOpen("198.18.0.2" as IpAddress, "198.19.0.1" as IpAddress, 1), true);
  assert.equal(index.count("198.18.0.2" as IpAddress), 8_192);
});
