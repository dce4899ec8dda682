// DNS over TLS against a server on loopback with a certificate of its own.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { walkAnswer } from "../../../../../src/core/dns/wire/answer/walk.ts";
import { createFrameReader, renderFrame } from "../../../../../src/core/dns/wire/framing.ts";
import { nameFromPlainText, nameText, rootName } from "../../../../../src/core/dns/wire/name.ts";
import type { Question } from "../../../../../src/core/dns/wire/question.ts";
import type { IpAddress } from "../../../../../src/core/model/address.ts";
import type { Upstream } from "../../../../../src/core/model/upstream.ts";
import { createTlsChannel } from "../../../../../src/edge/upstream/encrypted/tls.ts";
import { createRandomBits } from "../../../../../src/edge/upstream/random.ts";
import { defaultResolverSettings, Resolver } from "../../../../../src/edge/upstream/resolver.ts";
import { type Certificate, makeCertificate } from "../../../../support/certificate.ts";
import { answerTo } from "../../../../support/fake-upstream.ts";
import { assertIrreplaceable } from "../../../../support/irreplaceable.ts";

let certificate: Certificate;
const servers: Server[] = [];

interface Seen {
  readonly port: number;
  readonly messages: Uint8Array[];
  readonly sockets: TLSSocket[];
  connections: number;
}

async function startServer(onMessage: (message: Uint8Array, socket: TLSSocket) => void): Promise<Seen> {
  const messages: Uint8Array[] = [];
  const server = createServer({ ...certificate, ALPNProtocols: ["dot"] }, (socket) => {
    seen.connections++;
    seen.sockets.push(socket);
    const frames = createFrameReader();
    socket.on("error", () => undefined);
    socket.on("data", (piece) => {
      for (const message of frames.push(piece)) {
        messages.push(message);
        onMessage(message, socket);
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const seen: Seen = {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    messages,
    sockets: [],
    connections: 0,
  };
  return seen;
}

const answer = (message: Uint8Array, socket: TLSSocket): void => {
  socket.write(renderFrame(answerTo(message, ["203.0.113.1"])));
};

function upstreamAt(
  port: number,
  serverName: string | undefined = "dns.example.org",
  authorities = certificate.cert,
): Upstream {
  return { address: "127.0.0.1" as IpAddress, port, tls: { serverName, authorities } };
}

function resolverFor(
  port: number,
  serverName: string | undefined = "dns.example.org",
  authorities = certificate.cert,
) {
  return new Resolver({
    ...defaultResolverSettings,
    upstreams: [upstreamAt(port, serverName, authorities)],
    deadlineMs: 2_000,
    hedgeMs: 1_500,
  });
}

function questionFor(text: string): Question {
  const qname = nameFromPlainText(text) ?? rootName;
  return { name: nameText(qname), qname, type: 1 };
}

async function succeeds(resolver: ReturnType<typeof resolverFor>, text: string): Promise<void> {
  const question = questionFor(text);
  const walked = walkAnswer(await resolver.query(question, "a"), question);
  assert.equal(walked.kind, "answer");
}

describe("DNS over TLS", () => {
  before(() => {
    certificate = makeCertificate();
  });
  after(() => {
    for (const server of servers) server.close();
  });

  test("one connection carries many queries, padded to one length", async () => {
    const server = await startServer((message, socket) => {
      setTimeout(() => answer(message, socket), Math.random() * 20);
    });
    const resolver = resolverFor(server.port);
    try {
      await succeeds(resolver, "first.example.org");
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          succeeds(resolver, `${"n".repeat(i)}.x${i}.example.org`.replace(/^\./, "")),
        ),
      );
      assert.equal(server.connections, 1);
      assert.deepEqual([...new Set(server.messages.map(({ length }) => length))], [128]);
    } finally {
      resolver.close();
    }
  });

  test("the address may stand in for the name", async () => {
    const server = await startServer(answer);
    const resolver = resolverFor(server.port, undefined);
    try {
      await succeeds(resolver, "www.example.org");
    } finally {
      resolver.close();
    }
  });

  const strangers: readonly {
    readonly name: string;
    readonly serverName: string;
    readonly trusted: boolean;
  }[] = [
    { name: "with another name", serverName: "other.example.org", trusted: true },
    { name: "that nobody vouches for", serverName: "dns.example.org", trusted: false },
  ];
  for (const { name, serverName, trusted } of strangers) {
    test(`a server ${name} is asked nothing`, async () => {
      const server = await startServer(answer);
      const resolver = resolverFor(
        server.port,
        serverName,
        trusted ? certificate.cert : makeCertificate().cert,
      );
      try {
        await assert.rejects(
          resolver.query(questionFor("www.example.org"), "a"),
          /no upstream resolver answered/,
        );
        assert.equal(server.messages.length, 0);
      } finally {
        resolver.close();
      }
    });
  }

  test("a server that closes after each answer is connected to again", async () => {
    const server = await startServer((message, socket) => {
      answer(message, socket);
      socket.end();
    });
    const resolver = resolverFor(server.port);
    try {
      for (let i = 0; i < 5; i++) await succeeds(resolver, `n${i}.example.org`);
      assert.equal(server.connections, 5);
    } finally {
      resolver.close();
    }
  });

  test("a connection that ends under a query is replaced, once", async () => {
    let served = 0;
    const server = await startServer((message, socket) => {
      served++;
      if (served === 2) socket.destroy();
      else answer(message, socket);
    });
    const resolver = resolverFor(server.port);
    try {
      await succeeds(resolver, "a.example.org");
      await succeeds(resolver, "b.example.org");
      assert.equal(server.connections, 2);
    } finally {
      resolver.close();
    }
  });

  test("a connection that cannot be replaced fails its queries, and ends nothing else", async () => {
    const server = await startServer((message, socket) => {
      if (server.messages.length === 1) answer(message, socket);
      else if (server.messages.length === 3) socket.destroy();
    });
    await assertIrreplaceable(server.port, certificate.cert, (upstream, tls) =>
      createTlsChannel(upstream, tls, createRandomBits()),
    );
  });

  test("a server that goes mute while its connection stays open is connected to again, in time", async () => {
    const mute = new Set<TLSSocket>();
    const server = await startServer((message, socket) => {
      if (!mute.has(socket)) answer(message, socket);
    });
    const resolver = new Resolver({
      ...defaultResolverSettings,
      upstreams: [upstreamAt(server.port)],
    });
    try {
      await succeeds(resolver, "before.example.org");
      for (const socket of server.sockets) mute.add(socket);
      const startedAtMs = performance.now();
      // Constant questions must not keep the dead connection alive.
      using _asking = setInterval(
        () => void resolver.query(questionFor("more.example.org"), "b").catch(() => undefined),
        100,
      );
      await Promise.all(["a", "b", "c"].map((name) => succeeds(resolver, `${name}.example.org`)));
      assert.ok(performance.now() - startedAtMs < 2_500);
      await succeeds(resolver, "after.example.org");
      assert.equal(server.connections, 2);
    } finally {
      resolver.close();
    }
  });

  test("a server that is mute on every connection fails, and is well again once it speaks", async () => {
    let mute = true;
    const server = await startServer((message, socket) => {
      if (!mute) answer(message, socket);
    });
    const resolver = resolverFor(server.port);
    try {
      await assert.rejects(resolver.query(questionFor("a.example.org"), "a"), /answered in time/);
      mute = false;
      await succeeds(resolver, "b.example.org");
    } finally {
      resolver.close();
    }
  });

  test("a server that always hangs up is an error", async () => {
    const server = await startServer((_message, socket) => socket.destroy());
    const resolver = resolverFor(server.port);
    try {
      await assert.rejects(resolver.query(questionFor("www.example.org"), "a"));
      assert.ok(server.connections <= 2);
    } finally {
      resolver.close();
    }
  });
});
