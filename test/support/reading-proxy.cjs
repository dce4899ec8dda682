// A proxy before the engine's socket that passes on what Dockerwall reads, and nothing else. Every request is printed,
// with the answer's status. argv: the socket to listen at, the engine's socket, what paths of GET may be, as a pattern.

const { createServer, request } = require("node:http");

const [own, engine, pattern] = process.argv.slice(2);
const readable = new RegExp(`^${pattern}$`);

createServer((question, answer) => {
  const { method, url, headers } = question;
  const tell = (status) => console.log(`${status} ${method} ${url}`);
  if (method !== "GET" || !readable.test(url.split("?")[0])) {
    tell(403);
    answer.writeHead(403).end("Forbidden\n");
    return;
  }
  const passed = request({ socketPath: engine, method, path: url, headers }, (reply) => {
    tell(reply.statusCode);
    answer.writeHead(reply.statusCode, reply.headers);
    answer.flushHeaders();
    reply.pipe(answer);
  });
  passed.on("error", () => answer.destroy());
  answer.on("close", () => passed.destroy());
  passed.end();
}).listen(own, () => console.log("ready"));
