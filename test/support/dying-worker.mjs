// Preloaded into a daemon: its data plane's thread ends as soon as it has said that it is ready.

import { parentPort } from "node:worker_threads";

const post = parentPort?.postMessage.bind(parentPort);
if (parentPort !== null)
  parentPort.postMessage = (message) => {
    post(message);
    if (message?.kind === "ready") setImmediate(() => process.exit(3));
  };
