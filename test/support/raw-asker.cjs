// Runs inside a container, with its own Node: sends messages byte for byte and tells what came back.
// stdin: [{ transport, hex }]; stdout: [hex or null], in the same order.

const { createSocket } = require("node:dgram");
const { readFileSync } = require("node:fs");
const { createConnection } = require("node:net");

const server = process.argv[1] ?? "127.0.0.11";
const silenceMs = 4_500;
/** Messages that have no id to answer to are waited for only a moment. */
const shortSilenceMs = 700;

function askByUdp(message) {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    const finish = (answer) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const isQuery = message.length >= 12 && (message[2] & 0x80) === 0;
    const timer = setTimeout(() => finish(null), isQuery ? silenceMs : shortSilenceMs);
    socket.once("message", (answer) => finish(answer.toString("hex")));
    socket.send(message, 53, server);
  });
}

function askByTcp(message) {
  return new Promise((resolve) => {
    const socket = createConnection({ host: server, port: 53 });
    let received = Buffer.alloc(0);
    const finish = (answer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const isQuery = message.length >= 12 && (message[2] & 0x80) === 0;
    const timer = setTimeout(() => finish(null), isQuery ? silenceMs : shortSilenceMs);
    socket.on("error", () => finish(null));
    socket.on("close", () => finish(null));
    socket.on("data", (piece) => {
      received = Buffer.concat([received, piece]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      finish(received.subarray(2, 2 + received.readUInt16BE(0)).toString("hex"));
    });
    const length = Buffer.alloc(2);
    length.writeUInt16BE(message.length);
    socket.write(Buffer.concat([length, message]));
  });
}

async function main() {
  const asked = JSON.parse(readFileSync(0, "utf8"));
  const answers = new Array(asked.length).fill(null);
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < asked.length; index = next++) {
      const { transport, hex } = asked[index];
      const message = Buffer.from(hex, "hex");
      answers[index] = await (transport === "tcp" ? askByTcp(message) : askByUdp(message));
    }
  };
  await Promise.all(Array.from({ length: 12 }, worker));
  process.stdout.write(JSON.stringify(answers));
}

void main();
