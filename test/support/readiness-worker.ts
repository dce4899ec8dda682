// The readiness of a netlink socket, inside a worker thread that ends on demand.

import { parentPort } from "node:worker_threads";
import { openNetlink } from "../../src/edge/kernel/netlink/socket.ts";
import { createReadiness } from "../../src/edge/kernel/readiness.ts";

const link = openNetlink(0, "links", 1);
createReadiness().watch(link.fd, () => {
  link.receive(() => undefined);
  void Promise.resolve().then(() => parentPort?.postMessage("readable"));
});
parentPort?.once("message", () => process.exit(3));
parentPort?.postMessage("ready");
