// Runs inside a container, with its own Node: asks for a name every ten milliseconds until it has been there for a while,
// and tells when it was there first, when it was not last, and what was said. argv: the name, and a file that is made
// once the name has been found missing; times are of the clock.

const { createSocket } = require("node:dgram");
const { writeFileSync } = require("node:fs");

const [, name, askedFile] = process.argv;
const everyMs = 10;
const afterwards = 20;
const atMostMs = 20_000;

const socket = createSocket("udp4");
const labels = name
  .split(".")
  .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
const question = Buffer.concat([...labels, Buffer.from([0, 0, 1, 0, 1])]);
const askedMs = [];
let first;
let lastMissedMs = 0;
let missedAfterwards = 0;
let found = 0;

socket.on("message", (message) => {
  const asked = askedMs[message.readUInt16BE(0)] ?? 0;
  if ((message[3] & 15) === 0 && message.readUInt16BE(6) > 0) {
    first ??= { askedMs: asked, answer: message.toString("hex") };
    found++;
    return;
  }
  if (lastMissedMs === 0) writeFileSync(askedFile, "");
  lastMissedMs = Math.max(lastMissedMs, asked);
  // An answer may overtake the one before it.
  if (first !== undefined && asked > first.askedMs) missedAfterwards++;
});
const startedMs = Date.now();
const timer = setInterval(() => {
  if (found >= afterwards || Date.now() - startedMs > atMostMs) {
    clearInterval(timer);
    const report = { asked: askedMs.length, first, lastMissedMs, missedAfterwards };
    process.stdout.write(JSON.stringify(report), () => process.exit());
    return;
  }
  const head = Buffer.from([askedMs.length >> 8, askedMs.length & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  askedMs.push(Date.now());
  socket.send(Buffer.concat([head, question]), 53, "127.0.0.11");
}, everyMs);
