// The names of the data plane's counters, told by a thread that has loaded what declares them, and nothing else.

import { parentPort } from "node:worker_threads";
import { readCounters } from "../../src/core/counters/registry.ts";
import "../../src/data/worker/messages.ts";
import "../../src/data/worker/plane.ts";

parentPort?.postMessage(readCounters().map(({ name }) => name));
