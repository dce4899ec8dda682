// The same questions through our own path, everything allowed, and through unbound: same rcode, same rrsets, no longer
// TTL; each twice, as the second answer comes out of a cache. Unbound comes out of Debian's package, which the lab keeps.
// The same with the daemon and from containers: test/engine/resolver-differential.test.ts.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import dnsPacket from "dns-packet";
import { AnswerCache } from "../../../../../src/core/dns/cache.ts";
import { type AskUpstream, lookUp } from "../../../../../src/core/dns/cached-lookup.ts";
import type { ResolveRequest } from "../../../../../src/core/dns/resolve/request.ts";
import { resolveQuery } from "../../../../../src/core/dns/resolve.ts";
import { createFrameReader, renderFrame } from "../../../../../src/core/dns/wire/framing.ts";
import { payloadLimit, type Transport } from "../../../../../src/core/dns/wire/message.ts";
import { parseQuery } from "../../../../../src/core/dns/wire/question.ts";
import { respondNow } from "../../../../../src/core/dns/wire/respond.ts";
import type { IpAddress } from "../../../../../src/core/model/address.ts";
import { anyService } from "../../../../../src/core/model/service.ts";
import { listenTcp } from "../../../../../src/edge/listener/tcp.ts";
import { type DnsHandler, listenUdp } from "../../../../../src/edge/listener/udp.ts";
import { defaultResolverSettings, Resolver } from "../../../../../src/edge/upstream/resolver.ts";
import { type Asked, compare, essenceOf, questionOf } from "../../../../support/compare-answers.ts";
import { cannotUnpack, endServer, spawnUnbound, unboundSettings } from "../../../../support/debian-server.ts";
import { startFakeUpstream } from "../../../../support/fake-upstream.ts";
import { answerFromZone, zoneQuestions } from "../../../../support/fake-zone.ts";
import { until } from "../../../../support/lab/command.ts";
import { filterOf } from "../../../../support/policies.ts";

const loopback = "127.0.0.1" as IpAddress;

async function startOurs(upstreamPort: number) {
  const resolver = new Resolver({
    ...defaultResolverSettings,
    upstreams: [{ address: loopback, port: upstreamPort }],
  });
  const cache = new AnswerCache({ maxBytes: 1_000_000, maxTtlSeconds: 3600, maxStaleSeconds: 0 });
  const handler =
    (transport: Transport): DnsHandler =>
    (message, client, reply) => {
      const query = parseQuery(message);
      if (query.kind === "ignore") return reply(undefined);
      const limit = payloadLimit(query.edns, transport);
      if (query.kind === "reply-now") return reply(respondNow(query, limit));
      const request: ResolveRequest = {
        query,
        decision: {
          allowed: true,
          services: [anyService],
          exact: true,
          endsAtMs: undefined,
          terms: [],
          by: [],
        },
        audit: false,
        limit,
        families: new Set([4, 6]),
        extraTypes: new Set(),
        filter: filterOf(),
        lease: { floorSeconds: 60, graceSeconds: 300, ceilingSeconds: 3600 },
        findLocal: () => undefined,
        lookup: (question, taker) => {
          const ask: AskUpstream = (asked, its) => resolver.ask(asked, client.address, undefined, its);
          lookUp(question, { cache, nowMs: () => performance.now(), ask }, taker);
        },
        admit: (_, taker) => taker.take(),
      };
      resolveQuery(request, ({ bytes }) => reply(bytes));
    };
  const udp = await listenUdp({ address: loopback, port: 0 }, handler("udp"));
  const tcp = await listenTcp({ address: loopback, port: udp.port }, handler("tcp"));
  return {
    port: udp.port,
    close: async () => {
      await Promise.all([udp.close(), tcp.close()]);
      resolver.close();
    },
  };
}

async function startUnbound(upstreamPort: number) {
  const folder = mkdtempSync(join(tmpdir(), "dockerwall-unbound-"));
  const probe = createSocket("udp4");
  await new Promise<void>((resolve) => probe.bind(0, loopback, resolve));
  const { port } = probe.address();
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  const conf = join(folder, "unbound.conf");
  writeFileSync(
    conf,
    `server:
  interface: 127.0.0.1
  port: ${port}
${unboundSettings(folder)}
  do-not-query-localhost: no
  local-zone: "example.org." transparent
  edns-buffer-size: 1232
  max-udp-size: 1232
  minimal-responses: yes
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${upstreamPort}
remote-control:
  control-enable: no
`,
  );
  const child = await spawnUnbound(conf);
  await until("unbound to listen", 10_000, () => isListening(port));
  return {
    port,
    close: async () => {
      await endServer(child);
      rmSync(folder, { recursive: true });
    },
  };
}

/** True, or undefined when nobody listens by TCP. */
function isListening(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: loopback, port });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(undefined));
    socket.once("connect", () => socket.destroy());
  });
}

/** Asks by UDP, and once more by TCP when the answer says so; `size` 0 leaves EDNS out. */
async function ask(port: number, name: string, type: dnsPacket.RecordType, size: number): Promise<Asked> {
  const query = questionOf(name, type, size);
  const socket = createSocket("udp4");
  try {
    const datagram = await new Promise<Buffer>((resolve, reject) => {
      socket.once("message", resolve);
      setTimeout(() => reject(new Error(`no answer about ${name} ${type}`)), 5_000).unref();
      socket.send(query, port, loopback);
    });
    const decoded = dnsPacket.decode(datagram);
    if (!decoded.flag_tc) return { decoded, truncated: false };
    return { decoded: dnsPacket.decode(await askByTcp(port, query)), truncated: true };
  } finally {
    socket.close();
  }
}

function askByTcp(port: number, query: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: loopback, port });
    const frames = createFrameReader();
    socket.on("error", reject);
    socket.on("data", (piece) => {
      const [message] = frames.push(piece);
      if (message === undefined) return;
      socket.destroy();
      resolve(Buffer.from(message));
    });
    socket.write(renderFrame(query));
  });
}

test("the same answers as unbound, the first time and out of the cache", {
  skip: cannotUnpack,
  timeout: 240_000,
}, async () => {
  let asked = 0;
  const upstream = await startFakeUpstream({
    onUdp: ({ message, reply }) => {
      asked++;
      reply(answerFromZone(message, 1232));
    },
    onTcp: (message) => answerFromZone(Buffer.from(message), 65_535),
  });
  const ours = await startOurs(upstream.port);
  const theirs = await startUnbound(upstream.port);
  const differences: unknown[] = [];
  try {
    for (const round of ["fresh", "cached"]) {
      for (const [index, { name, type }] of zoneQuestions().entries()) {
        const size = [0, 512, 1232, 4096][index % 4] ?? 0;
        const before = asked;
        const one = await ask(ours.port, name, type, size);
        const askedByUs = asked - before;
        const other = await ask(theirs.port, name, type, size);
        try {
          compare(one, other);
          assert.ok(round === "fresh" || askedByUs === 0, "upstream was asked again");
        } catch (error) {
          differences.push({
            round,
            name,
            type,
            size,
            ours: essenceOf(one),
            theirs: essenceOf(other),
            error,
          });
        }
      }
    }
  } finally {
    await Promise.all([ours.close(), theirs.close(), upstream.close()]);
  }
  assert.deepEqual(differences, []);
});
