// Hellos of the programs that are here, as they are today, and what a server makes of the same bytes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { Duplex } from "node:stream";
import { type TestContext, test } from "node:test";
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  createServer as createTlsServer,
  TLSSocket,
  type TlsOptions,
} from "node:tls";
import { readHello } from "../../../../src/core/name-check/client-hello.ts";
import { readSecondHello } from "../../../../src/core/name-check/second-hello.ts";
import { readServerStart } from "../../../../src/core/name-check/server-start.ts";
import { makeCertificate } from "../../../support/certificate.ts";
import { seeded } from "../../../support/seeded.ts";
import { cutAt } from "../../../support/tls/build-hello.ts";
import { mutatedHello } from "../../../support/tls/mutate-hello.ts";
import { recorded } from "../../../support/tls/recorded.ts";
import { listening, startRelay } from "../../../support/tls/relay.ts";

const name = "api.example.com";
const certificate = makeCertificate();

/** What a TLS connection of Node's to a server with these options sends each way. */
async function exchanged(
  t: TestContext,
  server: TlsOptions,
  client: ConnectionOptions,
): Promise<{ readonly fromClient: Buffer; readonly fromServer: Buffer }> {
  const tls = createTlsServer({ ...certificate, ...server }, (socket) => socket.end());
  t.after(() => tls.close());
  const relay = await startRelay(await listening(tls));
  t.after(() => relay.close());
  const socket = connect({
    host: "127.0.0.1",
    port: relay.port,
    servername: name,
    rejectUnauthorized: false,
    ...client,
  });
  await once(socket, "secureConnect");
  socket.destroy();
  return { fromClient: relay.fromClient(), fromServer: relay.fromServer() };
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const)
  test(`Node's hello of ${version}, and the answer`, async (t) => {
    const { fromClient, fromServer } = await exchanged(t, {}, { minVersion: version, maxVersion: version });
    const reading = readHello(fromClient);
    assert.ok(reading !== "more" && "hello" in reading, JSON.stringify(reading));
    assert.deepEqual(reading.hello, { name, asked: name, hasEch: false });
    assert.equal(readServerStart(fromServer), "hello");
  });

test("a server that asks again is told, and Node's second hello asks for the same name", async (t) => {
  const groups = { ecdhCurve: "X25519:P-384" };
  const { fromClient, fromServer } = await exchanged(t, { ecdhCurve: "P-384" }, groups);
  const reading = readHello(fromClient);
  assert.ok(reading !== "more" && "hello" in reading, JSON.stringify(reading));
  assert.equal(readServerStart(fromServer), "retry");
  const second = readSecondHello(fromClient.subarray(reading.length), reading.hello);
  assert.ok(second !== "more" && "hello" in second, JSON.stringify(second));
  assert.equal(second.hello.name, name);
});

for (const options of [["-tls1_3"], ["-tls1_2"], ["-groups", "P-256"], ["-noservername"]])
  test(`the hello of openssl s_client ${options.join(" ")}`, async (t) => {
    const server = createServer();
    t.after(() => server.close());
    const port = await listening(server);
    const asked = options.includes("-noservername") ? [] : ["-servername", name];
    const client = spawn("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, ...asked, ...options]);
    const ended = once(client, "close");
    const [socket] = (await once(server, "connection")) as [Duplex];
    let stream = Buffer.alloc(0);
    for await (const bytes of socket as AsyncIterable<Buffer>) {
      stream = Buffer.concat([stream, bytes]);
      if (readHello(stream) !== "more") break;
    }
    await ended;
    const reading = readHello(stream);
    const expected = { hello: { name, asked: name, hasEch: false }, length: stream.length };
    assert.deepEqual(reading, asked.length === 0 ? { refusal: "no-name" } : expected);
  });

/** The name that OpenSSL finds in the first bytes of a client; undefined when it finds none, or no hello. */
async function nameForServer(stream: Buffer): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const wire = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
  const server = new TLSSocket(wire, {
    isServer: true,
    secureContext: createSecureContext(certificate),
    SNICallback: (asked, done) => {
      resolve(asked);
      done(new Error("it is known"));
    },
  });
  server.on("error", () => resolve(undefined)).on("close", () => resolve(undefined));
  wire.push(stream);
  wire.push(null);
  const found = await promise;
  server.destroy();
  return found;
}

test("what OpenSSL takes for the name is what was read, of right hellos and of mutated ones", async () => {
  const random = seeded(17);
  const messages = recorded("hello")
    .filter(({ program }) => !program.includes("-tls1_1"))
    .map(({ bytes }) => bytes.subarray(5, 5 + bytes.readUInt16BE(3)));
  for (const message of messages) {
    assert.equal(await nameForServer(cutAt(message, [])), name);
    assert.equal(await nameForServer(cutAt(message, [9, 70])), name);
  }
  let compared = 0;
  for (let round = 0; round < 300; round++) {
    const stream = mutatedHello(random, messages);
    const reading = readHello(stream);
    if (reading === "more" || "refusal" in reading) continue;
    const found = await nameForServer(stream.subarray(0, reading.length));
    // It may find more to refuse than we do: duplicate extensions, ciphers that it does not have.
    if (found === undefined) continue;
    assert.equal(found, reading.hello.asked, stream.toString("base64"));
    compared++;
  }
  assert.ok(compared > 50, `${compared}`);
});

test("OpenSSL does not compare the names of two hellos, and goes by the second: so both are read", async () => {
  const [retried] = recorded("retried");
  const bytes = Buffer.from(retried?.bytes ?? assert.fail());
  bytes.write("www", bytes.lastIndexOf(name));
  const first = readHello(bytes);
  assert.ok(first !== "more" && "hello" in first);
  const rest = bytes.subarray(first.length);
  assert.deepEqual(readSecondHello(rest, first.hello), { refusal: "other-name" });
  const answers: Buffer[] = [];
  const wire = new Duplex({
    read: () => undefined,
    write: (answer: Buffer, _encoding, done) => {
      answers.push(answer);
      done();
      wire.emit("answered");
    },
  });
  const secureContext = createSecureContext({ ...certificate, ecdhCurve: "P-384" });
  const server = new TLSSocket(wire, { isServer: true, secureContext });
  const names: unknown[] = [];
  for (const sent of [bytes.subarray(0, first.length), rest]) {
    const answered = once(wire, "answered");
    wire.push(sent);
    await answered;
    names.push(Reflect.get(server, "servername"));
  }
  server.destroy();
  assert.equal(readServerStart(Buffer.concat(answers)), "retry");
  assert.deepEqual(names, [name, "www.example.com"]);
});
