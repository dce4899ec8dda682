// An event of the kernel that cannot be read ends no watch, and nothing else: the watcher hears that something may have
// changed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { watchHostAddresses } from "../../../src/edge/host/address-watch.ts";
import * as libc from "../../../src/edge/kernel/libc.ts";
import { watchBridges } from "../../../src/edge/kernel/netlink/bridge-watch.ts";
import { watchRules } from "../../../src/edge/kernel/nftables/rule-watch.ts";
import type { Readiness } from "../../../src/edge/kernel/readiness.ts";
import { enterNamespaces } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

interface Watcher {
  readonly readiness: Readiness;
  readonly onChange: () => void;
  readonly onFailure: (error: unknown) => void;
}

const watches: readonly (readonly [what: string, watch: (watcher: Watcher) => void])[] = [
  ["bridges", watchBridges],
  ["the host's addresses", watchHostAddresses],
  ["rules", (watcher) => watchRules({ ...watcher, concerns: () => true })],
];

describe("a watch whose socket cannot be read", () => {
  for (const [what, watch] of watches) {
    it(`of ${what} says so each time`, () => {
      let socket = -1;
      let onReadable: () => void = assert.fail;
      const failures: unknown[] = [];
      watch({
        readiness: {
          watch(fd, call) {
            socket = fd;
            onReadable = call;
            return () => undefined;
          },
          close: () => undefined,
        },
        onChange: assert.fail,
        onFailure: (error) => failures.push(error),
      });
      libc.close(socket);
      onReadable();
      onReadable();
      assert.equal(failures.length, 2);
      assert.match(String(failures[0]), /EBADF/);
    });
  }
});
