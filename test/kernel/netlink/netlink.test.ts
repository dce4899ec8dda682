import assert from "node:assert/strict";
import { test } from "node:test";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { SO_RCVBUFFORCE, setsockopt } from "../../../src/edge/kernel/libc.ts";
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  numberMessages,
} from "../../../src/edge/kernel/netlink/message.ts";
import { NetlinkError } from "../../../src/edge/kernel/netlink/refusal.ts";
import { NETLINK_NETFILTER, NETLINK_ROUTE, openNetlink } from "../../../src/edge/kernel/netlink/socket.ts";
import { withNamespace } from "../../../src/edge/kernel/netns.ts";
import { writeBatch, writeDeleteTable, writeNewTable } from "../../../src/edge/kernel/nftables/write.ts";
import { createNamespace, enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const RTMGRP_LINK = 1;
const RTM_GETLINK = 18;
const RTM_GETADDR = 22;

/** The smallest queue that the kernel gives. */
function shrinkQueue(fd: number): void {
  setsockopt(fd, SO_RCVBUFFORCE, 1, "a small queue");
}

function changeLinks(times: number): void {
  run("sh", "-c", `for i in $(seq ${times}); do ip link set lo mtu $((60000 + i)); done`);
}

test("an overflow is counted, and the socket can be used afterwards", () => {
  const links = openNetlink(NETLINK_ROUTE, "links", RTMGRP_LINK);
  shrinkQueue(links.fd);
  changeLinks(20);
  let messages = 0;
  assert.ok(links.receive(() => messages++) >= 1);
  assert.ok(messages < 20);
  let found = 0;
  links.writer.message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP).raw(new Uint8Array(16));
  links.dump(
    "the links",
    () => {
      found = 0;
    },
    () => found++,
  );
  assert.ok(found >= 1);
  links.close();
});

test("a request passes over notifications that lie before its answer", () => {
  const links = openNetlink(NETLINK_ROUTE, "links", RTMGRP_LINK);
  changeLinks(5);
  let found = 0;
  links.writer.message(RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP).raw(new Uint8Array(16));
  links.request("the links", () => found++);
  const { length } = run("ip", "-o", "link").trim().split("\n");
  assert.equal(found, length);
  links.close();
});

test("an answer of many parts is read to its end, or as far as it is wanted", () => {
  const box = createNamespace("many");
  box.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0");
  const commands = Array.from(
    { length: 600 },
    (_, i) => `address add 198.51.${100 + (i >> 8)}.${i & 255}/32 dev eth0`,
  );
  box.run("sh", "-c", `printf '%s\\n' "$1" | ip -batch -`, "sh", commands.join("\n"));
  const socket = withNamespace(box.fd, () => openNetlink(NETLINK_ROUTE, "addresses"));
  shrinkQueue(socket.fd);
  let found = 0;
  const ask = () =>
    socket.writer
      .reset()
      .message(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP)
      .raw(new Uint8Array(8));
  ask();
  socket.dump(
    "the addresses",
    () => {
      found = 0;
    },
    () => found++,
  );
  assert.equal(found, 600);
  ask();
  assert.equal(
    socket.dumpFirst("the addresses", 1_000, () => found++),
    true,
  );
  assert.equal(found, 1_200);
  ask();
  assert.equal(
    socket.dumpFirst("the addresses", 40, () => found++),
    false,
  );
  assert.equal(found, 1_240);
  socket.close();
});

test("a refusal says which message, why, and in the kernel's own words", () => {
  const socket = openNetlink(NETLINK_NETFILTER, "tables");
  writeBatch(socket.writer, () => {
    writeNewTable(socket.writer, { family: "ip", name: "first" });
    writeDeleteTable(socket.writer, { family: "ip", name: "nowhere" });
  });
  assert.throws(
    () => socket.request("a batch"),
    (error) =>
      error instanceof NetlinkError && error.errno === 2 && error.index === 2 && /ENOENT/.test(error.message),
  );
  assert.equal(run("nft", "list", "tables"), "");
  // Of all but the last message the kernel reports only refusals.
  writeBatch(socket.writer.reset(), () => {
    writeDeleteTable(socket.writer, { family: "ip", name: "nowhere" });
    writeNewTable(socket.writer, { family: "ip", name: "first" });
  });
  assert.throws(
    () => socket.request("a batch"),
    (error) => error instanceof NetlinkError && error.errno === 2 && error.index === 1,
  );
  assert.equal(run("nft", "list", "tables"), "");
  socket.writer
    .reset()
    .message(0x7f00, NLM_F_REQUEST | NLM_F_ACK)
    .netfilterHeader(0);
  assert.throws(() => socket.request("nonsense"), { code: "KERNEL_REFUSED" });
  socket.close();
});

test("a batch is acknowledged once, and an empty one not at all", () => {
  const socket = openNetlink(NETLINK_NETFILTER, "tables");
  const sent = (names: readonly string[]): readonly boolean[] => {
    writeBatch(socket.writer.reset(), () => {
      for (const name of names) writeNewTable(socket.writer, { family: "ip", name });
    });
    const answered = numberMessages(socket.writer.bytes, 1);
    socket.request("a batch");
    return answered;
  };
  assert.deepEqual(sent([]), [false, false]);
  assert.deepEqual(sent(["a", "b", "c"]), [false, false, false, true, false]);
  assert.equal(run("nft", "list", "tables"), "table ip a\ntable ip b\ntable ip c\n");
  run("nft", "flush", "ruleset");
  socket.close();
});

test("without privilege the error says so", () => {
  process.seteuid?.(65_534);
  try {
    assert.throws(openKernelSets, { code: "NO_PRIVILEGE", exitCode: 77 });
  } finally {
    process.seteuid?.(0);
  }
});
