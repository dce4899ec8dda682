// Record types by name and by number, as another implementation knows them.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import { codeOfType, nameOfType, recordType, types } from "../../../../../src/core/dns/wire/record-types.ts";

const dnsPacketTypes = createRequire(import.meta.url)("dns-packet/types") as {
  readonly toString: (code: number) => string;
};

describe("record types", () => {
  it("have the numbers that dns-packet gives them", () => {
    const others = Object.entries(types).filter(
      ([name, code]) => dnsPacketTypes.toString(code) !== name.toUpperCase(),
    );
    // It does not know these.
    const unknown = ["csync", "eui48", "eui64", "https", "maila", "mailb", "openpgpkey"];
    const later = ["smimea", "svcb", "uri", "zonemd"];
    assert.deepEqual(others.map(([name]) => name).sort(), [...unknown, ...later].sort());
    assert.equal(new Set(Object.values(types)).size, Object.keys(types).length);
  });

  it("are found by either", () => {
    for (const [name, code] of Object.entries(types)) {
      assert.equal(nameOfType(code), name.toUpperCase());
      const isData = recordType(code)?.served !== "never";
      assert.equal(codeOfType(name), isData ? code : undefined);
      assert.equal(codeOfType(`TYPE${code}`), isData ? code : undefined);
    }
    assert.equal(nameOfType(65_280), "TYPE65280");
    assert.equal(codeOfType("type65280"), 65_280);
    for (const none of ["", "TYPE", "TYPE0", "TYPE128", "TYPE65535", "TYPE99999", "constructor", "A "])
      assert.equal(codeOfType(none), undefined, none);
  });
});
