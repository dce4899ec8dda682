import assert from "node:assert/strict";
import { endianness } from "node:os";
import { test } from "node:test";
import { IN_CREATE, IN_MOVED_TO, readEvents } from "../../../../../src/edge/sandbox/folder/inotify-events.ts";

const littleEndian = endianness() === "LE";

/** As the kernel writes it: the name is filled up to a multiple of 16. */
function event(mask: number, name = ""): Uint8Array {
  const bytes = Buffer.from(name);
  const length = bytes.length === 0 ? 0 : Math.ceil((bytes.length + 1) / 16) * 16;
  const written = new Uint8Array(16 + length);
  const view = new DataView(written.buffer);
  view.setUint32(4, mask, littleEndian);
  view.setUint32(12, length, littleEndian);
  written.set(bytes, 16);
  return written;
}

test("names of what was made, in order, wherever in memory they lie", () => {
  const events = Buffer.concat([
    Buffer.alloc(3),
    event(IN_CREATE, "a1"),
    event(IN_MOVED_TO, "a name of more than sixteen bytes, ü"),
  ]);
  assert.deepEqual(readEvents(events.subarray(3)), {
    names: ["a1", "a name of more than sixteen bytes, ü"],
    overflowed: false,
    watchEnded: false,
  });
});

test("what was lost, and the end of the watch, are no names", () => {
  const overflow = Buffer.concat([event(IN_CREATE, "a1"), event(0x4000)]);
  assert.deepEqual(readEvents(overflow), { names: ["a1"], overflowed: true, watchEnded: false });
  assert.deepEqual(readEvents(event(0x8000)), { names: [], overflowed: false, watchEnded: true });
  assert.deepEqual(readEvents(new Uint8Array(0)), { names: [], overflowed: false, watchEnded: false });
});
