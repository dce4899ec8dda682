// A stub resolver on the host's loopback, as systemd-resolved is one: it passes queries on to the resolver in argv.
// With it, the engine's embedded resolver must forward from the host's namespace.
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";

const listen = "127.0.0.53";
const [upstream = ""] = process.argv.slice(2);

const front = createSocket("udp4");
front.on("message", (query, client) => {
  const back = createSocket("udp4");
  const timer = setTimeout(() => back.close(), 5000);
  back.on("message", (answer) => {
    front.send(answer, client.port, client.address);
    clearTimeout(timer);
    back.close();
  });
  back.on("error", () => undefined);
  back.send(query, 53, upstream);
});
front.bind(53, listen, () => {
  const server = createServer((socket) => {
    const back = connect(53, upstream);
    socket.on("error", () => back.destroy()).pipe(back);
    back.on("error", () => socket.destroy()).pipe(socket);
  });
  server.listen(53, listen, () => console.log("ready"));
});
