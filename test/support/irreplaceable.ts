// A connection to an upstream that cannot be replaced once it has ended.

import assert from "node:assert/strict";
import { readCounters } from "../../src/core/counters/registry.ts";
import { rootQuestion } from "../../src/core/dns/probe.ts";
import { renderUpstreamQuery } from "../../src/core/dns/wire/upstream-query.ts";
import type { IpAddress } from "../../src/core/model/address.ts";
import type { Upstream, UpstreamTls } from "../../src/core/model/upstream.ts";
import type { EncryptedChannel } from "../../src/edge/upstream/encrypted/channel.ts";
import { countedSince } from "./counted.ts";

const query = (): Uint8Array =>
  renderUpstreamQuery(rootQuestion, { edns: true, randomWord: undefined, padded: true });

/**
 * Asks once, and then twice at once of a server that ends its connection at its third query: both fail with what keeps a
 * new one from being made, and that is contained.
 */
export async function assertIrreplaceable(
  port: number,
  authorities: string,
  create: (upstream: Upstream, tls: UpstreamTls) => EncryptedChannel,
): Promise<void> {
  const trouble = new Error("no connection can be made");
  let opened = 0;
  const tls = {
    serverName: "dns.example.org",
    get authorities() {
      if (++opened > 1) throw trouble;
      return authorities;
    },
  };
  const channel = create({ address: "127.0.0.1" as IpAddress, port, tls }, tls);
  const ask = (): Promise<unknown> =>
    new Promise((resolve) => channel.ask(query(), { receive: () => resolve("answered"), fail: resolve }));
  const before = readCounters();
  try {
    assert.equal(await ask(), "answered");
    assert.deepEqual(await Promise.all([ask(), ask()]), [trouble, trouble]);
    assert.deepEqual(countedSince(before), { contained_failures: 2 });
  } finally {
    channel.close();
  }
}
