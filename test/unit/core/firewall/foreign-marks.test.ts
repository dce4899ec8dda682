import assert from "node:assert/strict";
import { test } from "node:test";
import { findForeignMarks, renderForeignMark } from "../../../../src/core/firewall/foreign-marks.ts";

const accepted = [
  "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffff --ctmask 0xffff",
  "-A POSTROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xff0000",
  "-A PREROUTING -j CONNMARK --set-xmark 0x1/0xff",
  "-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
  "-A PREROUTING -j MARK --set-xmark 0x40000/0xff0000",
  "-A PREROUTING -m mark --mark 0x1000000/0xf000000 -j ACCEPT",
  "-A PREROUTING -m comment --comment CONNMARK -j ACCEPT",
  "-A DOCKERWALL-ADMIT -j CONNMARK --set-xmark 0x1000000/0xf000000",
  ":PREROUTING ACCEPT [0:0]",
] as const;
const found = [
  [
    "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff",
    "packet mark",
    0x7800_0000,
  ],
  [
    "-A POSTROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
    "connection mark",
    0x0f00_0000,
  ],
  ["-A POSTROUTING -j CONNMARK --save-mark", "connection mark", 0x0f00_0000],
  ["-A PREROUTING -i eth0 -j CONNMARK --set-xmark 0x1000000/0xffffffff", "connection mark", 0x0f00_0000],
  ["-A PREROUTING -j CONNMARK --set-xmark 0x1000000/0x0", "connection mark", 0x0100_0000],
  ["-A cali-PREROUTING -j MARK --set-xmark 0x0/0xf0000000", "packet mark", 0x7000_0000],
  ["-A OUTPUT -j MARK --set-xmark 0x1/0xffffffff", "packet mark", 0x7800_0000],
] as const;

for (const rule of accepted)
  test(`is none of our business: ${rule}`, () => {
    assert.deepEqual(findForeignMarks(`*mangle\n${rule}\nCOMMIT\n`), []);
  });

for (const [rule, writes, bits] of found)
  test(`overwrites bits of ours: ${rule}`, () => {
    const [mark, ...rest] = findForeignMarks(`*mangle\n:PREROUTING ACCEPT [0:0]\n${rule}\nCOMMIT\n`);
    assert.deepEqual([mark, rest], [{ rule: `mangle: ${rule}`, writes, bits }, []]);
    assert.match(
      renderForeignMark(mark ?? assert.fail()),
      new RegExp(`0x${bits.toString(16)} of the ${writes}`),
    );
  });

test("says what the loss of a stamp opens, and of which", () => {
  const told = (rule: string): string =>
    findForeignMarks(`*mangle\n${rule}\nCOMMIT\n`).map(renderForeignMark).join();
  const opens = /begun under guarded addresses/;
  assert.match(told("-A POSTROUTING -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff"), opens);
  assert.match(told("-A POSTROUTING -j CONNMARK --set-xmark 0x0/0x8000000"), opens);
  assert.doesNotMatch(told("-A POSTROUTING -j CONNMARK --set-xmark 0x0/0x1000000"), opens);
  assert.doesNotMatch(told("-A PREROUTING -j MARK --set-xmark 0x0/0x8000000"), opens);
});

test("the mark of a new port is overwritten in raw only", () => {
  const rule = "-A cali-PREROUTING -j MARK --set-xmark 0x0/0x80000000";
  const bitsIn = (table: string): readonly number[] =>
    findForeignMarks(`*${table}\n${rule}\nCOMMIT\n`).map(({ bits }) => bits);
  assert.deepEqual([bitsIn("raw"), bitsIn("mangle")], [[0x8000_0000], []]);
});
