// The queries on one connection: told apart by their ids, and what becomes of them when it ends. What they are encrypted
// by is not looked at here.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { renderFrame } from "../../../../../src/core/dns/wire/framing.ts";
import { TlsConnection, type TlsQuery } from "../../../../../src/edge/upstream/encrypted/tls-connection.ts";
import { createRandomBits } from "../../../../../src/edge/upstream/random.ts";

let server: Server;
let far: Socket;
let connection: TlsConnection;
let ended: Promise<readonly TlsQuery[]>;

beforeEach(async () => {
  server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const socket = createConnection(typeof address === "object" ? (address?.port ?? 0) : 0, "127.0.0.1");
  [far] = (await once(server, "connection")) as [Socket];
  ended = new Promise((resolve) => {
    connection = new TlsConnection(socket, createRandomBits(), resolve);
  });
});
afterEach(() => {
  connection.destroy();
  server.close();
});

function query(asker: Partial<TlsQuery["asker"]> = {}): TlsQuery {
  const told = { receive: () => undefined, fail: () => undefined, ...asker };
  return { message: new Uint8Array(12), asker: told, again: false };
}

test("an answer goes to the query with its id; one with an id that nobody has asked by goes to none", async () => {
  const received: string[] = [];
  const first = query({ receive: () => received.push("first") });
  const second = query({ receive: () => received.push("second") });
  connection.send(first);
  connection.send(second);
  const stray = new Uint8Array(12).fill(1);
  stray.set(first.message.map((byte) => byte ^ 0xff).subarray(0, 2));
  if (stray[0] !== second.message[0] || stray[1] !== second.message[1]) far.write(renderFrame(stray));
  far.write(renderFrame(second.message));
  far.end(renderFrame(first.message));
  assert.deepEqual(await ended, []);
  assert.deepEqual(received, ["second", "first"]);
  assert.ok(connection.isProven);
});

test("what is unanswered when it ends is given back, what was given up is not", async () => {
  const left = query();
  connection.send(left);
  connection.send(query())();
  far.destroy();
  assert.deepEqual(await ended, [left]);
  assert.ok(!connection.isProven);
});

test("an answer that cannot be taken ends the connection, and nothing else", async () => {
  const broken = query({
    receive: () => {
      throw new Error("the answer cannot be taken");
    },
  });
  const other = query();
  connection.send(broken);
  connection.send(other);
  far.write(renderFrame(broken.message));
  assert.deepEqual(await ended, [other]);
});
