// The listeners on loopback, with clients that are as impolite as each case says.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { basename } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createFrameReader, renderFrame } from "../../../../src/core/dns/wire/framing.ts";
import type { IpAddress } from "../../../../src/core/model/address.ts";
import { listenTcp } from "../../../../src/edge/listener/tcp.ts";
import { type DnsClient, type DnsHandler, listenUdp } from "../../../../src/edge/listener/udp.ts";

const loopback4 = { address: "127.0.0.1" as IpAddress, port: 0 };
const loopback6 = { address: "::1" as IpAddress, port: 0 };

const echo: DnsHandler = (message, client, reply) =>
  reply(Buffer.from(`${client.address} ${message.toString()}`));

async function connect(
  port: number,
  host = "127.0.0.1",
): Promise<{ socket: Socket; messages: string[]; closed: Promise<void> }> {
  const socket = createConnection({ port, host, allowHalfOpen: true });
  const frames = createFrameReader();
  const messages: string[] = [];
  socket.on("data", (piece) =>
    messages.push(...frames.push(piece).map((message) => Buffer.from(message).toString())),
  );
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
    socket.once("end", () => resolve());
  });
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return { socket, messages, closed };
}

const frame = (text: string): Uint8Array => renderFrame(Buffer.from(text));

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 600 && !condition(); i++) await sleep(5);
  assert.ok(condition());
}

for (const at of [loopback4, loopback6]) {
  test(`UDP answers on ${at.address}`, async () => {
    const listener = await listenUdp(at, (message, client, reply) =>
      reply(Buffer.from(`${client.address} ${message.length}`)),
    );
    const client = createSocket(at === loopback4 ? "udp4" : "udp6");
    const answer = new Promise<string>((resolve) =>
      client.once("message", (message) => resolve(message.toString())),
    );
    client.send("abc", listener.port, at.address);
    assert.equal(await answer, `${at.address} 3`);
    client.close();
    await listener.close();
  });
}

test("an answer that comes after the end is dropped", async () => {
  const replies: (() => void)[] = [];
  const keep: DnsHandler = (message, _client, reply) => replies.push(() => reply(message));
  const [udp, tcp] = [await listenUdp(loopback4, keep), await listenTcp(loopback4, keep)];
  const client = createSocket("udp4");
  client.send("abc", udp.port, "127.0.0.1");
  const { socket } = await connect(tcp.port);
  socket.write(frame("abc"));
  await until(() => replies.length === 2);
  await Promise.all([udp.close(), tcp.close()]);
  await udp.close();
  for (const reply of replies) reply();
  client.close();
  socket.destroy();
});

const holding = `
const udp = require("node:dgram").createSocket("udp4").bind(0, "127.0.0.1", () => {
  const tcp = require("node:net").createServer().listen(0, "127.0.0.1", () => {
    console.log(udp.address().port, tcp.address().port);
  });
});
`;

test("a taken port is said to be taken, and by whom", async (t) => {
  const child = spawn(process.execPath, ["-e", holding], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [said] = await once(child.stdout, "data");
  const [udp = 0, tcp = 0] = String(said).split(" ").map(Number);
  const holder = `${basename(process.execPath)} (pid ${child.pid})`;
  await assert.rejects(listenUdp({ ...loopback4, port: udp }, echo), {
    code: "PORT_TAKEN",
    message: `port ${udp}/udp is taken by ${holder}; set DOCKERWALL_DNS_PORT to another port, or stop it`,
  });
  await assert.rejects(listenTcp({ ...loopback4, port: tcp }, echo), {
    code: "PORT_TAKEN",
    message: `port ${tcp}/tcp is taken by ${holder}; set DOCKERWALL_DNS_PORT to another port, or stop it`,
  });
});

test("TCP: many questions on one connection, answered as they are ready", async () => {
  const listener = await listenTcp(loopback4, (message, _client, reply) => {
    const text = Buffer.from(message).toString();
    setTimeout(() => reply(message), text === "slow" ? 60 : 5);
  });
  const { socket, messages } = await connect(listener.port);
  socket.write(Buffer.concat([frame("slow"), frame("one"), frame("two")]));
  await until(() => messages.length === 3);
  assert.deepEqual(messages, ["one", "two", "slow"]);
  socket.destroy();
  await listener.close();
});

test("TCP: a question in single bytes, and a client that closes its side first", async () => {
  const listener = await listenTcp(loopback4, (message, _client, reply) =>
    setTimeout(() => reply(message), 20),
  );
  const { socket, messages, closed } = await connect(listener.port);
  for (const byte of frame("in pieces")) {
    socket.write(Uint8Array.of(byte));
    await sleep(1);
  }
  socket.end();
  await closed;
  assert.deepEqual(messages, ["in pieces"]);
  await listener.close();
});

test("TCP: idle connections, and those that stop in the middle, are closed", async () => {
  const listener = await listenTcp(loopback4, echo, { idleTimeoutMs: 60 });
  const idle = await connect(listener.port);
  const half = await connect(listener.port);
  half.socket.write(Uint8Array.of(0));
  const drip = await connect(listener.port);
  const dripping = setInterval(() => drip.socket.write(Uint8Array.of(1)), 10);
  await Promise.all([idle.closed, half.closed, drip.closed]);
  clearInterval(dripping);
  await listener.close();
});

test("TCP: silence for a message leaves the connection to the next", async () => {
  const listener = await listenTcp(loopback4, (message, _client, reply) =>
    reply(Buffer.from(message).toString() === "ignore" ? undefined : message),
  );
  const { socket, messages } = await connect(listener.port);
  socket.write(Buffer.concat([...Array.from({ length: 200 }, () => frame("ignore")), frame("answer")]));
  await until(() => messages.length === 1);
  assert.deepEqual(messages, ["answer"]);
  socket.destroy();
  await listener.close();
});

test("TCP: questions under way on one connection are bounded", async () => {
  let most = 0;
  let now = 0;
  const listener = await listenTcp(
    loopback4,
    (message, _client, reply) => {
      most = Math.max(most, ++now);
      setTimeout(() => {
        now--;
        reply(message);
      }, 2);
    },
    { pendingPerConnection: 8 },
  );
  const { socket, messages } = await connect(listener.port);
  socket.write(Buffer.concat(Array.from({ length: 300 }, (_, i) => frame(`${i}`))));
  await until(() => messages.length === 300);
  assert.equal(most, 8);
  socket.destroy();
  await listener.close();
});

test("TCP: one client's connections are bounded", async () => {
  const listener = await listenTcp(loopback4, echo, { connectionsPerClient: 2 });
  const [a, b] = [await connect(listener.port), await connect(listener.port)];
  const c = await connect(listener.port);
  await c.closed;
  a.socket.write(frame("still here"));
  await until(() => a.messages.length === 1);
  b.socket.destroy();
  await sleep(20);
  const d = await connect(listener.port);
  d.socket.write(frame("room again"));
  await until(() => d.messages.length === 1);
  a.socket.destroy();
  d.socket.destroy();
  await listener.close();
});

test("TCP: a client that does not read is cut", async () => {
  const big = new Uint8Array(60_000);
  let asked = 0;
  const listener = await listenTcp(
    loopback4,
    (_message, _client, reply) => {
      asked++;
      reply(big);
    },
    { idleTimeoutMs: 100 },
  );
  const socket = createConnection({ port: listener.port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  socket.pause();
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  socket.write(Buffer.concat(Array.from({ length: 5000 }, () => frame("more"))));
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const writing = setInterval(() => socket.write(frame("more")), 20);
  await closed;
  clearInterval(writing);
  assert.ok(asked < 500, `${asked} answers were made`);
  await listener.close();
});

test("TCP: in a sandbox all addresses of the loopback are one client", async () => {
  const listener = await listenTcp(loopback4, echo, {}, { ownerOf: () => "its sandbox" });
  const sockets = Array.from({ length: 48 }, (_, i) =>
    createConnection({ port: listener.port, host: "127.0.0.1", localAddress: `127.0.${1 + i}.1` }),
  );
  const closed = sockets.map((socket) => {
    socket.on("error", () => undefined);
    return once(socket, "close").then(() => socket);
  });
  for (let i = 0; i < 16; i++) await Promise.race(closed.filter((_, j) => sockets[j]?.closed === false));
  assert.equal(sockets.filter((socket) => socket.closed).length, 16);
  for (const socket of sockets) socket.destroy();
  await listener.close();
});

test("TCP: one owner's questions take their turns, on however many connections", async () => {
  let asked = 0;
  let most = 0;
  const listener = await listenTcp(
    loopback4,
    (message, _client, reply) => {
      asked++;
      reply(message);
    },
    {},
    { ownerOf: () => "its sandbox" },
  );
  const connections = await Promise.all(Array.from({ length: 16 }, () => connect(listener.port)));
  let turning = true;
  const turn = (): void => {
    most = Math.max(most, asked);
    asked = 0;
    if (turning) setImmediate(turn);
  };
  turn();
  const questions = Array.from({ length: 300 }, (_, i) => `${i}`);
  for (const { socket } of connections) socket.write(Buffer.concat(questions.map(frame)));
  await until(() => connections.every(({ messages }) => messages.length === questions.length)).finally(() => {
    turning = false;
  });
  for (const { messages } of connections) assert.deepEqual(messages, questions);
  // A turn of ours begins somewhere within one of theirs.
  assert.ok(most <= 32, `${most} questions in a turn`);
  for (const { socket } of connections) socket.destroy();
  await listener.close();
});

test("TCP: messages without content hold up nobody, nor much memory", async () => {
  const listener = await listenTcp(loopback4, (message, _client, reply) =>
    reply(message.length === 0 ? undefined : message),
  );
  const flood = await connect(listener.port);
  flood.socket.write(Buffer.concat([new Uint8Array(1 << 17), frame("at last")]));
  const other = await connect(listener.port);
  other.socket.write(frame("meanwhile"));
  await until(() => other.messages.length === 1);
  await until(() => flood.messages.length === 1);
  for (const { socket } of [flood, other]) socket.destroy();
  await listener.close();
});

test("TCP: a handler can see that its client is gone", async () => {
  const { promise, resolve } = Promise.withResolvers<DnsClient>();
  const listener = await listenTcp(loopback4, (_message, client) => resolve(client));
  const { socket } = await connect(listener.port);
  socket.write(frame("a question"));
  const client = await promise;
  assert.equal(client.isGone?.(), false);
  socket.resetAndDestroy();
  await until(() => client.isGone?.() === true);
  await listener.close();
});

/** Fails for the first question, as a bug would have it, and serves the others. */
function failingOnce(): DnsHandler {
  let failed = false;
  return (message, _client, reply) => {
    if (!failed) {
      failed = true;
      throw new Error("a bug");
    }
    reply(message);
  };
}

test("UDP: a failure by one question is a problem, and the next one is served", async () => {
  const problems: string[] = [];
  const listener = await listenUdp(loopback4, failingOnce(), { onProblem: (text) => problems.push(text) });
  const client = createSocket("udp4");
  const answer = once(client, "message");
  client.send("first", listener.port, loopback4.address);
  client.send("second", listener.port, loopback4.address);
  assert.equal(String((await answer)[0]), "second");
  assert.deepEqual(problems, ["a lookup was not answered: a bug"]);
  client.close();
  await listener.close();
});

test("TCP: a failure by one question is a problem, and the next one is served", async () => {
  const problems: string[] = [];
  const listener = await listenTcp(
    loopback4,
    failingOnce(),
    {},
    { onProblem: (text) => problems.push(text) },
  );
  const { socket, messages } = await connect(listener.port);
  socket.write(Buffer.concat([frame("first"), frame("second")]));
  await until(() => messages.length === 1);
  assert.deepEqual([messages, problems], [["second"], ["a lookup was not answered: a bug"]]);
  socket.destroy();
  await listener.close();
});

/** Answers the first question with what cannot be sent, and later, when nobody stands around it; the others at once. */
function unsendableOnce(): DnsHandler {
  let failed = false;
  return (message, _client, reply) => {
    if (failed) {
      reply(message);
      return;
    }
    failed = true;
    setImmediate(() => reply(null as unknown as Uint8Array));
  };
}

test("UDP: an answer that cannot be sent is a problem, and the next one leaves", async () => {
  const problems: string[] = [];
  const listener = await listenUdp(loopback4, unsendableOnce(), { onProblem: (text) => problems.push(text) });
  const client = createSocket("udp4");
  const answer = once(client, "message");
  client.send("first", listener.port, loopback4.address);
  await until(() => problems.length === 1);
  client.send("second", listener.port, loopback4.address);
  assert.equal(String((await answer)[0]), "second");
  assert.match(problems.join(), /^a lookup was not answered: /);
  client.close();
  await listener.close();
});

test("TCP: an answer that cannot be sent is a problem, and the next one leaves", async () => {
  const problems: string[] = [];
  const events = { onProblem: (text: string) => problems.push(text) };
  const listener = await listenTcp(loopback4, unsendableOnce(), {}, events);
  const { socket, messages } = await connect(listener.port);
  socket.write(Buffer.concat([frame("first"), frame("second")]));
  await until(() => messages.length === 1 && problems.length === 1);
  assert.deepEqual(messages, ["second"]);
  assert.match(problems.join(), /^a lookup was not answered: /);
  socket.destroy();
  await listener.close();
});

test("TCP: a connection that cannot be taken is closed and told, and the next one is served", async () => {
  const problems: string[] = [];
  let failed = false;
  const ownerOf = (): string => {
    if (failed) return "its sandbox";
    failed = true;
    throw new Error("a bug");
  };
  const events = { ownerOf, onProblem: (text: string) => problems.push(text) };
  const listener = await listenTcp(loopback4, echo, {}, events);
  const first = await connect(listener.port);
  await first.closed;
  const { socket, messages } = await connect(listener.port);
  socket.write(frame("second"));
  await until(() => messages.length === 1);
  assert.deepEqual(problems, ["a connection for lookups was not served: a bug"]);
  socket.destroy();
  await listener.close();
});

test("who floods by UDP is served a few messages at a time while another is asked", async (context) => {
  const served: string[] = [];
  const listen = (name: string) =>
    listenUdp(loopback4, (_, __, reply) => {
      served.push(name);
      reply(undefined);
    });
  const [flooded, other] = await Promise.all([listen("flooded"), listen("other")]);
  const client = createSocket("udp4");
  context.after(async () => {
    client.close();
    await Promise.all([flooded.close(), other.close()]);
  });
  const ask = (listener: typeof other, count: number): Promise<unknown> =>
    Promise.all(
      Array.from(
        { length: count },
        () => new Promise((sent) => client.send("x", listener.port, "127.0.0.1", sent)),
      ),
    );
  // From here on both are known to be asked.
  for (const listener of [other, flooded]) await ask(listener, 1);
  await until(() => served.length === 2);
  // All of it is there before either is served again.
  const sent = [ask(flooded, 100), ask(other, 30)];
  await Promise.all(sent);
  await until(() => served.length === 132);
  // What the flood had before each message of the other.
  const runs = served
    .slice(2)
    .join("")
    .split("other")
    .slice(0, -1)
    .map((run) => run.length / "flooded".length);
  assert.ok(Math.max(...runs) <= 8, `${runs}`);
});
