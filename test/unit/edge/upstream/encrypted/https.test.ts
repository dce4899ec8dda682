// DNS over HTTPS against a server on loopback that misbehaves in every way that a server may.

import assert from "node:assert/strict";
import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from "node:http2";
import { connect, createServer, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { walkAnswer } from "../../../../../src/core/dns/wire/answer/walk.ts";
import { nameFromPlainText, nameText, rootName } from "../../../../../src/core/dns/wire/name.ts";
import type { Question } from "../../../../../src/core/dns/wire/question.ts";
import type { IpAddress } from "../../../../../src/core/model/address.ts";
import { createHttpsChannel } from "../../../../../src/edge/upstream/encrypted/https.ts";
import { defaultResolverSettings, Resolver } from "../../../../../src/edge/upstream/resolver.ts";
import { type Certificate, makeCertificate } from "../../../../support/certificate.ts";
import { answerTo } from "../../../../support/fake-upstream.ts";
import { assertIrreplaceable } from "../../../../support/irreplaceable.ts";

interface Request {
  readonly message: Buffer;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly stream: ServerHttp2Stream;
}

let certificate: Certificate;
const servers: Http2SecureServer[] = [];

async function startServer(onRequest: (request: Request) => void) {
  const seen = { port: 0, sessions: 0, requests: [] as Request[] };
  const server = createSecureServer({ ...certificate });
  server.on("session", () => {
    seen.sessions++;
  });
  server.on("stream", (stream, headers) => {
    const pieces: Buffer[] = [];
    stream.on("error", () => undefined);
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      const request = { message: Buffer.concat(pieces), headers, stream };
      seen.requests.push(request);
      onRequest(request);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  seen.port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return seen;
}

const answer = ({ message, stream }: Request): void => {
  stream.respond({ ":status": 200, "content-type": "application/dns-message" });
  stream.end(answerTo(message, ["203.0.113.1"]));
};

function resolverFor(port: number, serverName: string | undefined = "dns.example.org"): Resolver {
  const tls = { serverName, authorities: certificate.cert, httpPath: "/dns-query" };
  const upstream = { address: "127.0.0.1" as IpAddress, port, tls };
  return new Resolver({
    ...defaultResolverSettings,
    upstreams: [upstream],
    deadlineMs: 1_500,
    hedgeMs: 1_200,
  });
}

async function ask(resolver: Resolver, text: string): Promise<string> {
  const qname = nameFromPlainText(text) ?? rootName;
  const question: Question = { name: nameText(qname), qname, type: 1 };
  return walkAnswer(await resolver.query(question, "a"), question).kind;
}

describe("DNS over HTTPS", () => {
  before(() => {
    certificate = makeCertificate();
  });
  after(() => {
    for (const server of servers) server.close();
  });

  test("one connection carries many queries, each padded, with id 0", async () => {
    const server = await startServer((request) => setTimeout(() => answer(request), Math.random() * 20));
    const resolver = resolverFor(server.port);
    try {
      const names = Array.from({ length: 50 }, (_, i) => `n${i}.example.org`);
      const kinds = await Promise.all(names.map((name) => ask(resolver, name)));
      assert.deepEqual(new Set(kinds), new Set(["answer"]));
      assert.equal(server.sessions, 1);
      for (const { message, headers } of server.requests) {
        assert.equal(message.length, 128);
        assert.equal(message.readUInt16BE(0), 0);
        assert.equal(headers[":method"], "POST");
        assert.equal(headers[":path"], "/dns-query");
        assert.equal(headers[":authority"], "dns.example.org");
        assert.equal(headers["content-type"], "application/dns-message");
        // Nothing tells one client from another.
        assert.equal(headers["user-agent"], undefined);
      }
    } finally {
      resolver.close();
    }
  });

  test("a connection that cannot be replaced fails its queries, and ends nothing else", async () => {
    const server = await startServer((request) => {
      if (server.requests.length === 1) answer(request);
      else if (server.requests.length === 3) request.stream.session?.destroy();
    });
    await assertIrreplaceable(server.port, certificate.cert, (upstream, tls) =>
      createHttpsChannel(upstream, tls, "/dns-query"),
    );
  });

  test("the address may stand in for the name", async () => {
    const server = await startServer(answer);
    const resolver = new Resolver({
      ...defaultResolverSettings,
      upstreams: [
        {
          address: "127.0.0.1" as IpAddress,
          port: server.port,
          tls: { serverName: undefined, authorities: certificate.cert, httpPath: "/" },
        },
      ],
    });
    try {
      assert.equal(await ask(resolver, "www.example.org"), "answer");
      assert.equal(server.requests[0]?.headers[":authority"], "127.0.0.1");
    } finally {
      resolver.close();
    }
  });

  test("a server with another name is asked nothing", async () => {
    const server = await startServer(answer);
    const resolver = resolverFor(server.port, "other.example.org");
    try {
      await assert.rejects(ask(resolver, "www.example.org"), /no upstream resolver answered/);
      assert.equal(server.requests.length, 0);
    } finally {
      resolver.close();
    }
  });

  const failures: readonly { readonly name: string; readonly reply: (request: Request) => void }[] = [
    { name: "status 500", reply: ({ stream }) => stream.respond({ ":status": 500 }, { endStream: true }) },
    {
      name: "a page instead of a message",
      reply: ({ stream }) => {
        stream.respond({ ":status": 200, "content-type": "text/html" });
        stream.end("<p>Log in</p>");
      },
    },
    {
      name: "an endless body",
      reply: ({ stream }) => {
        stream.respond({ ":status": 200, "content-type": "application/dns-message" });
        const timer = setInterval(() => stream.write(Buffer.alloc(16_384)), 1);
        stream.on("close", () => clearInterval(timer));
      },
    },
    {
      name: "another question's answer",
      reply: ({ stream }) => {
        stream.respond({ ":status": 200, "content-type": "application/dns-message" });
        const other = Buffer.concat([
          Buffer.alloc(12),
          Buffer.from("\x04evil\x03org\0\0\x01\0\x01", "latin1"),
        ]);
        stream.end(answerTo(other, ["203.0.113.9"]));
      },
    },
    { name: "a reset", reply: ({ stream }) => stream.close(2) },
    { name: "silence", reply: () => undefined },
    { name: "hanging up", reply: ({ stream }) => stream.session?.destroy() },
  ];
  for (const { name, reply } of failures) {
    test(`${name} is a failure`, async () => {
      const server = await startServer(reply);
      const resolver = resolverFor(server.port);
      try {
        await assert.rejects(ask(resolver, "www.example.org"), /no upstream resolver answered/);
      } finally {
        resolver.close();
      }
    });
  }

  test("a connection that the server ends is replaced, also under a query", async () => {
    let served = 0;
    const server = await startServer((request) => {
      served++;
      if (served === 2) request.stream.session?.destroy();
      else answer(request);
      if (served === 3) request.stream.session?.close();
    });
    const resolver = resolverFor(server.port);
    try {
      for (const name of ["a", "b", "c", "d"])
        assert.equal(await ask(resolver, `${name}.example.org`), "answer");
      assert.equal(server.sessions, 3);
    } finally {
      resolver.close();
    }
  });

  test("a connection that goes mute while it stays open is replaced, in time", async () => {
    const server = await startServer(answer);
    const way = await startRelay(server.port);
    const tls = { serverName: "dns.example.org", authorities: certificate.cert, httpPath: "/dns-query" };
    const upstream = { address: "127.0.0.1" as IpAddress, port: way.port, tls };
    const resolver = new Resolver({ ...defaultResolverSettings, upstreams: [upstream] });
    try {
      assert.equal(await ask(resolver, "before.example.org"), "answer");
      way.swallow();
      const startedAtMs = performance.now();
      // Constant questions must not keep the dead connection alive.
      using _asking = setInterval(() => void ask(resolver, "more.example.org").catch(() => undefined), 100);
      const kinds = await Promise.all(["a", "b", "c"].map((name) => ask(resolver, `${name}.example.org`)));
      assert.deepEqual(new Set(kinds), new Set(["answer"]));
      assert.ok(performance.now() - startedAtMs < 2_500);
      assert.equal(server.sessions, 2);
    } finally {
      resolver.close();
      await way.close();
    }
  });
});

/** A way to a server on which nothing comes back any more once `swallow` is called, for connections that are open. */
async function startRelay(to: number): Promise<{
  readonly port: number;
  readonly swallow: () => void;
  readonly close: () => Promise<void>;
}> {
  const open = new Set<Socket>();
  const relay = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    open.add(near).add(far);
    near.on("error", () => far.destroy()).on("close", () => far.destroy());
    far.on("error", () => near.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const address = relay.address();
  return {
    port: typeof address === "object" ? (address?.port ?? 0) : 0,
    swallow: () => {
      for (const socket of open) socket.unpipe().resume();
    },
    close: async () => {
      for (const socket of open) socket.destroy();
      await new Promise<void>((resolve) => relay.close(() => resolve()));
    },
  };
}
