import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseTarget } from "../../../../src/core/policy/target.ts";

const accepted: readonly [text: string, target: string][] = [
  ["api.example.com", "api.example.com 6:any"],
  ["API.example.com.", "api.example.com 6:any"],
  ["api.example.com:443", "api.example.com 6:443"],
  ["api.example.com:53/udp", "api.example.com 17:53"],
  ["db", "db 6:any"],
  ["My_App:5432/tcp", "my_app 6:5432"],
  ["db-1:53/udp", "db-1 17:53"],
  ["localhost:80", "localhost 6:80"],
  ["api.example.com/udp", "api.example.com 17:any"],
  ["bücher.example:443/tcp", "xn--bcher-kva.example 6:443"],
  ["203.0.113.7", "203.0.113.7 6:any"],
  ["203.0.113.7:443", "203.0.113.7 6:443"],
  ["203.0.113.7/32", "203.0.113.7 6:any"],
  ["2001:DB8::1", "2001:db8::1 6:any"],
  ["[2001:db8::1]:443/udp", "2001:db8::1 17:443"],
];

const one = /write one name or address, as in api\.example\.com:443/;

const refused: readonly [text: string, problem: RegExp][] = [
  ["", one],
  ["db:0", /the port must be 1 to 65535/],
  ["api.example.com:0", /the port must be 1 to 65535/],
  ["https://api.example.com", /it is a URL/],
  ["*.example.com", one],
  ["a*.x.example.com", one],
  ["!api.example.com", one],
  ["@npm", one],
  ["host:22", one],
  ["203.0.113.0/24", one],
  ["2001:db8::/64", one],
  ["api.example.com:1-9", one],
];

describe("parseTarget", () => {
  it("takes either protocol where neither it nor a port is written", () => {
    const either = (text: string): unknown => {
      const target = parseTarget(text);
      return "problem" in target ? target.problem : target.eitherProtocol;
    };
    assert.deepEqual(["db", "203.0.113.7"].map(either), [true, true]);
    assert.deepEqual(["db/udp", "203.0.113.7/tcp", "db:1"].map(either), [undefined, undefined, undefined]);
  });
  for (const [text, expected] of accepted) {
    it(`accepts ${text}`, () => {
      const target = parseTarget(text);
      assert.ok(!("problem" in target), JSON.stringify(target));
      const { name, address, port = "any", ipProtocol } = target;
      assert.equal(`${name ?? address} ${ipProtocol}:${port}`, expected);
    });
  }
  for (const [text, problem] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      const target = parseTarget(text);
      assert.ok("problem" in target);
      assert.match(target.problem, problem);
    });
  }
});
