// Runs inside a container, with its own Node. `flood PREFIX COUNT SECONDS`: keeps COUNT lookups of unlike names
// outstanding, where their server lets it. `probe PREFIX RATE SECONDS`: asks that often, half of it for names that nobody has asked for before,
// and tells what was lost and how long the rest took, ms.

const { createSocket } = require("node:dgram");
const { readFileSync } = require("node:fs");

const [verb, prefix, amountText, secondsText] = process.argv.slice(1);
const amount = Number(amountText);
const untilMs = Date.now() + Number(secondsText) * 1_000;
const lostAfterMs = 5_000;

function queryFor(name, id) {
  const labels = name
    .split(".")
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

/** Datagrams that found no room: at our own sockets, where the answer got lost, and at the resolver's. */
function dropped(sockets) {
  const ports = new Set(sockets.map((socket) => socket.address().port));
  const counts = { here: 0, there: 0 };
  for (const line of readFileSync("/proc/net/udp", "utf8").trim().split("\n").slice(1)) {
    const fields = line.trim().split(/\s+/);
    const [address, port] = fields[1].split(":");
    if (ports.has(Number.parseInt(port, 16))) counts.here += Number(fields.at(-1));
    else if (address === "0B00007F") counts.there += Number(fields.at(-1));
  }
  return counts;
}

/**
 * Sends as fast as answers come, and waits at the end for those that are still to come: `silent` is what never was
 * answered. A socket has 65,536 ids; a quarter of it each, so that none comes back while it is used.
 */
function flood() {
  let sent = 0;
  let outstanding = 0;
  let mostOutstanding = 0;
  const answers = new Map();
  const perSocket = 5_000;
  const sockets = Array.from({ length: Math.ceil(amount / perSocket) }, () =>
    createSocket({ type: "udp4", recvBufferSize: 1 << 22 }),
  );
  const finish = () => {
    const report = {
      sent,
      mostOutstanding,
      silent: outstanding,
      dropped: dropped(sockets),
      answers: Object.fromEntries(answers),
    };
    process.stdout.write(JSON.stringify(report), () => process.exit());
  };
  const step = () => {
    if (Date.now() > untilMs) {
      setTimeout(finish, lostAfterMs);
      return;
    }
    for (let i = 0; i < 200 && outstanding < amount; i++) {
      const socket = sockets[sent % sockets.length];
      socket.send(queryFor(`${prefix}${sent}.load.example`, sent & 65_535), 53, "127.0.0.11");
      sent++;
      outstanding++;
    }
    mostOutstanding = Math.max(mostOutstanding, outstanding);
    setTimeout(step, 5);
  };
  for (const socket of sockets) {
    socket.on("error", () => undefined);
    socket.on("message", (message) => {
      outstanding--;
      const rcode = message[3] & 15;
      answers.set(rcode, (answers.get(rcode) ?? 0) + 1);
    });
  }
  step();
}

function probe() {
  const socket = createSocket("udp4");
  const startedAt = new Map();
  const tookMs = [];
  let sent = 0;
  socket.on("message", (message) => {
    const started = startedAt.get(message.readUInt16BE(0));
    startedAt.delete(message.readUInt16BE(0));
    if ((message[3] & 15) === 0 && started !== undefined) tookMs.push(performance.now() - started);
  });
  const timer = setInterval(() => {
    if (Date.now() > untilMs) {
      clearInterval(timer);
      setTimeout(finish, lostAfterMs);
      return;
    }
    const name =
      sent % 2 === 0 ? `${prefix}-hot.load.example` : `${prefix}-${Date.now()}-${sent}.load.example`;
    startedAt.set(sent & 65_535, performance.now());
    socket.send(queryFor(name, sent & 65_535), 53, "127.0.0.11");
    sent++;
  }, 1_000 / amount);
  const finish = () => {
    tookMs.sort((a, b) => a - b);
    const at = (part) => Math.round((tookMs[Math.floor(tookMs.length * part)] ?? 0) * 10) / 10;
    const report = { sent, lost: sent - tookMs.length, p50: at(0.5), p99: at(0.99), max: at(0.9999) };
    process.stdout.write(JSON.stringify(report), () => process.exit());
  };
}

if (verb === "flood") flood();
else probe();
