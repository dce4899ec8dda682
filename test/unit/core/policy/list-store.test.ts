import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { renderEntry } from "../../../../src/core/policy/entry.ts";
import type { EntryList } from "../../../../src/core/policy/entry-list.ts";
import { createListStore, type ListStore } from "../../../../src/core/policy/list-store.ts";
import { parsePresetEntries } from "../../../../src/core/policy/preset.ts";
import { presets } from "../../../support/policies.ts";

const place = 'network "web", label dockerwall.allow';
const web = { name: place, owner: "1" };
const minutes = 60_000;

let store: ListStore;
beforeEach(() => {
  store = createListStore(presets);
});

/** What is in force, `-` for a text that nobody can read, and how many problems and warnings there are. */
function read(text: string, { at = 0, from = place }: { at?: number; from?: string } = {}): string {
  const { list, problems, warnings } = store.read({ name: from, owner: "1" }, text, at);
  return `${textOf(list)} ${problems.length}/${warnings.length}`;
}

const textOf = (list: EntryList): string =>
  list.unread !== undefined && list.kept !== true ? "-" : `[${list.entries.map(renderEntry).join(" ")}]`;

function withMirror(text: string): typeof presets {
  const parsed = parsePresetEntries("mirror", text.split(" "));
  assert.ok("entries" in parsed);
  return new Map([...presets, ["mirror", parsed.entries]]);
}

describe("createListStore", () => {
  it("keeps what stood there while a text is bad, and takes the next good one", () => {
    assert.equal(read("a.example.com"), "[a.example.com] 0/0");
    assert.equal(read("a.example.com localhost a..b"), "[a.example.com] 2/0");
    assert.equal(read("*"), "[a.example.com] 1/0");
    assert.equal(read("b.example.com"), "[b.example.com] 0/0");
    assert.equal(read(""), "[] 0/0");
    assert.equal(read("*"), "[] 1/0");
  });
  it("has nothing for a text that was bad from the start", () => {
    assert.equal(read("a.example.com localhost"), "- 1/0");
    assert.equal(read("a.example.com"), "[a.example.com] 0/0");
  });
  it("keeps places apart", () => {
    read("a.example.com");
    assert.equal(read("*", { from: 'network "app", label dockerwall.allow' }), "- 1/0");
  });
  it("names place, entry, column and fix of every problem", () => {
    const { problems } = store.read(web, "ok.example.com *, a.example.com:0", 0);
    assert.deepEqual(problems, [
      `${place}: entry "*" at column 16: \`*\` alone would allow everything; to leave the network open, remove the label`,
      `${place}: entry "a.example.com:0" at column 19: the port must be 1 to 65535, or FROM-TO, not "0"`,
    ]);
  });
  it("warns of names that anyone can own, also when the text is read again", () => {
    assert.equal(read("*.github.io"), "[*.github.io] 0/1");
    assert.equal(read("*.github.io"), "[*.github.io] 0/1");
    assert.equal(read("*.github.io *.com"), "[*.github.io *.com] 0/2");
    assert.equal(read("*.github.io *"), "[*.github.io *.com] 1/0");
  });
  it("gives the same object for the same text, and the same id for the same entries", () => {
    const first = store.read(web, "a.example.com", 0);
    assert.equal(store.read(web, "a.example.com", 1), first);
    assert.equal(store.read(web, " A.example.com. ", 2).list, first.list);
    const kept = store.read(web, "*", 3).list;
    assert.deepEqual({ ...kept, id: 0 }, { ...first.list, id: 0, kept: true, unread: kept.unread });
    assert.match(kept.unread ?? "", /^network "web", label dockerwall.allow: entry "\*" at column 1: /);
    assert.equal(store.read(web, "*", 4).list, kept);
    assert.equal(store.read(web, "a.example.com", 4).list, first.list);
    const second = store.read(web, "a.example.com:443", 5).list;
    assert.notEqual(second.id, first.list.id);
    assert.notEqual(second.digest, first.list.digest);
  });
  it("gives equal digests for equal entries in other stores and places", () => {
    const one = store.read(web, "a.example.com @npm", 0).list;
    const other = createListStore(presets).read(
      { name: "container x", owner: "2" },
      "A.EXAMPLE.com,@npm",
      0,
    ).list;
    assert.equal(one.digest, other.digest);
    assert.notEqual(
      one.digest,
      store.read({ name: "y", owner: "1" }, "a.example.com registry.npmjs.org:443/tcp", 0).list.digest,
    );
  });
  it("keeps lists that end at different times apart", () => {
    const first = store.read(web, "a.example.com", 0, 1000).list;
    const second = store.read(web, "a.example.com", 0, 2000).list;
    assert.deepEqual([first.endsAtMs, second.endsAtMs], [1000, 2000]);
    assert.equal(store.read(web, "a.example.com", 0).list.endsAtMs, undefined);
  });
  it("keeps owners of one place apart", () => {
    read("a.example.com");
    assert.deepEqual(store.read({ name: place, owner: "2" }, "*", 0).list.entries, []);
    assert.equal(read("*"), "[a.example.com] 1/0");
  });
  it("remembers what stood there, and not for ever", () => {
    read("a.example.com");
    assert.equal(read("*", { at: 9 * minutes }), "[a.example.com] 1/0");
    // Read all the time, it is never forgotten.
    assert.equal(read("*", { at: 15 * minutes }), "[a.example.com] 1/0");
    read("b.example.com", { at: 26 * minutes, from: "elsewhere" });
    assert.equal(read("*", { at: 26 * minutes }), "- 1/0");
  });
  it("reads again when presets change, and keeps the id when that changes nothing", () => {
    store.usePresets(withMirror("apt.example.org"));
    const before = store.read(web, "@mirror @npm", 0).list;
    store.usePresets(withMirror("apt.example.org"));
    assert.equal(store.read(web, "@mirror @npm", 1).list, before);
    store.usePresets(withMirror("apt.example.org deb.example.org"));
    const after = store.read(web, "@mirror @npm", 2).list;
    assert.equal(textOf(after), "[apt.example.org deb.example.org registry.npmjs.org:443/tcp]");
    assert.notEqual(after?.id, before?.id);
    store.usePresets(presets);
    assert.equal(
      read("@mirror @npm", { at: 3 }),
      "[apt.example.org deb.example.org registry.npmjs.org:443/tcp] 1/0",
    );
  });
});
