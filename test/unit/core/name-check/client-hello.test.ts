// Which bytes are a ClientHello with a name, which are none, and when that is known.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readHello } from "../../../../src/core/name-check/client-hello.ts";
import { longestHello } from "../../../../src/core/name-check/records.ts";
import type { Refusal } from "../../../../src/core/name-check/refusals.ts";
import {
  browserHello,
  cutAt,
  type Extension,
  filler,
  type HelloParts,
  helloFor,
  helloMessage,
  inRecords,
  nameList,
  record,
  serverName,
} from "../../../support/tls/build-hello.ts";
import { recorded, recordedName } from "../../../support/tls/recorded.ts";

const name = "api.example.com";
const named = serverName(name);
const host = Buffer.from(name);

function of(parts: HelloParts): Buffer {
  return record(helloMessage(parts));
}

function withExtensions(...extensions: readonly Extension[]): Buffer {
  return of({ extensions });
}

/** A message whose body has so many bytes. */
function messageOf(bodyLength: number): Buffer {
  const without = helloMessage({ extensions: [named, filler(0)] }).length - 4;
  return helloMessage({ extensions: [named, filler(bodyLength - without)] });
}

for (const { program, bytes } of recorded("hello"))
  test(`the hello of ${program} is read`, () => {
    const reading = readHello(bytes);
    assert.ok(reading !== "more" && "hello" in reading, JSON.stringify(reading));
    assert.deepEqual(reading.hello, {
      name: recordedName,
      asked: recordedName,
      hasEch: /BoringSSL.*(chrome|firefox)/.test(program),
    });
    assert.equal(reading.length, 5 + bytes.readUInt16BE(3));
    assert.equal(reading.length < bytes.length, program.includes("-early_data"), "early data is behind it");
  });

const accepted: readonly (readonly [what: string, bytes: Buffer])[] = [
  ["one name", withExtensions(named)],
  ["no session", of({ sessionId: Buffer.alloc(0) })],
  ["two compression methods", of({ methods: Buffer.from([1, 0]) })],
  ["the name last", withExtensions(filler(300), [23, Buffer.alloc(0)], named)],
  ["shares of post-quantum size before the name", withExtensions(filler(1216 + 6, 51), named)],
  ["a browser's", record(browserHello(name))],
  ["extensions of all unknown types (GREASE)", withExtensions([0x0a0a, host], named, [0xfafa, host])],
  ["the version of TLS 1.0", of({ version: 0x0301 })],
  ["the version of SSL 3.0", of({ version: 0x0300 })],
  ["a version to come", of({ version: 0x0305 })],
  ["records of SSL 3.0", record(helloMessage(), 22, 0x0300)],
  ["records of TLS 1.3", record(helloMessage(), 22, 0x0304)],
  ["records of one byte for the header", cutAt(helloMessage(), [1, 2, 3, 4])],
  ["a cut within the name", cutAt(helloMessage(), [helloMessage().indexOf("example") + 3])],
  ["the longest message", inRecords(messageOf(16_384), 2)],
  ["the longest message in the most records", inRecords(messageOf(16_384), 16)],
  ["the longest record", record(messageOf(16_380))],
];

for (const [what, bytes] of accepted)
  test(`accepted: ${what}`, () => {
    const reading = readHello(bytes);
    assert.ok(reading !== "more" && "hello" in reading, JSON.stringify(reading));
    assert.equal(reading.hello.name, name);
    assert.equal(reading.length, bytes.length);
    assert.ok(reading.length <= longestHello);
    assert.deepEqual(readHello(bytes.subarray(0, -1)), "more");
    for (const behind of [Buffer.from([0]), Buffer.from("140303000101", "hex"), helloFor("www.example.net")])
      assert.deepEqual(readHello(Buffer.concat([bytes, behind])), reading, "what is behind it");
  });

for (let count = 2; count <= 16; count++)
  test(`accepted: ${count} records`, () => {
    for (const message of [helloMessage(), browserHello(name)]) {
      const bytes = inRecords(message, count);
      const reading = readHello(bytes);
      assert.ok(reading !== "more" && "hello" in reading, JSON.stringify(reading));
      assert.deepEqual([reading.hello.name, reading.length], [name, bytes.length]);
    }
  });

const tables: Readonly<
  Record<string, readonly (readonly [what: string, bytes: Buffer, refusal: Refusal])[]>
> = {
  "another protocol": [
    ["SSH", Buffer.from("SSH-2.0-OpenSSH_9.2\r\n"), "not-tls"],
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n"), "not-tls"],
    ["SSLRequest of PostgreSQL", Buffer.from("0000000804d2162f", "hex"), "not-tls"],
    ["OpenVPN", Buffer.from("000e3800000000000000000000000000", "hex"), "not-tls"],
    ["SMTP, before STARTTLS", Buffer.from("EHLO client.example.com\r\n"), "not-tls"],
    ["a proxy's header before TLS", Buffer.from("PROXY TCP4 192.0.2.1 192.0.2.10 40001 443\r\n"), "not-tls"],
    ["SOCKS 5", Buffer.from("050100", "hex"), "not-tls"],
    ["zeros", Buffer.alloc(8), "not-tls"],
    ["a hello in the form of SSL 2.0", Buffer.from("802e0100020015000000100100800700c0", "hex"), "not-tls"],
    ["a record of version 2.0", record(helloMessage(), 22, 0x0200), "not-tls"],
    ["a record of DTLS 1.2", record(helloMessage(), 22, 0xfefd), "not-tls"],
    ["a record of version 3.5", record(helloMessage(), 22, 0x0305), "not-tls"],
  ],
  "no whole hello": [
    ["change_cipher_spec first", Buffer.from("140303000101", "hex"), "not-tls"],
    ["an alert first", Buffer.from("15030300020100", "hex"), "not-tls"],
    ["application data first", record(Buffer.from("GET /"), 23), "not-tls"],
    ["a ServerHello", of({ messageType: 2 }), "not-a-hello"],
    ["a HelloRequest", record(Buffer.alloc(4)), "not-a-hello"],
    ["an alert in between", between(Buffer.from("15030300020100", "hex")), "not-a-hello"],
    ["change_cipher_spec in between", between(Buffer.from("140303000101", "hex")), "not-a-hello"],
    ["application data in between", between(record(Buffer.from("x"), 23)), "not-a-hello"],
    ["an empty record in between", between(record(Buffer.alloc(0))), "malformed-hello"],
    ["an empty record first", record(Buffer.alloc(0)), "malformed-hello"],
    ["a record of another version in between", between(record(Buffer.from("x"), 22, 0x0200)), "not-tls"],
  ],
  "too long": [
    ["17 records", inRecords(helloMessage(), 17), "long-hello"],
    ["a record for each byte", inRecords(helloMessage(), helloMessage().length), "long-hello"],
    ["one byte more than the longest message", inRecords(messageOf(16_385), 2), "long-hello"],
    ["the longest length there is", record(Buffer.from("01ffffff", "hex")), "long-hello"],
    ["a record of one byte more", record(messageOf(16_381)), "malformed-hello"],
  ],
  "bytes left over": [
    [
      "behind the message in its record",
      record(Buffer.concat([helloMessage(), Buffer.alloc(1)])),
      "malformed-hello",
    ],
    [
      "a second hello in its record",
      record(Buffer.concat([helloMessage(), helloMessage()])),
      "malformed-hello",
    ],
    ["the same in its second record", behindInSecond(), "malformed-hello"],
    ["behind the extensions", leftOver(), "malformed-hello"],
    ["an extension of three bytes", shortExtension(3), "malformed-hello"],
    ["an extension of one byte", shortExtension(1), "malformed-hello"],
  ],
  "a body that is none": [
    ["none", record(Buffer.from("01000000", "hex")), "malformed-hello"],
    ["the version alone", record(Buffer.from("010000020303", "hex")), "malformed-hello"],
    ["a session of 33 bytes", of({ sessionId: Buffer.alloc(33) }), "malformed-hello"],
    ["no cipher suites", of({ suites: Buffer.alloc(0) }), "malformed-hello"],
    ["half a cipher suite", of({ suites: Buffer.alloc(3) }), "malformed-hello"],
    ["no compression method", of({ methods: Buffer.alloc(0) }), "malformed-hello"],
  ],
  "no name": [
    ["no extensions", of({ extensions: "none" }), "no-name"],
    ["an empty list of extensions", withExtensions(), "no-name"],
    ["other extensions alone", withExtensions(filler(10), [16, host]), "no-name"],
  ],
  "not one name": [
    ["server_name twice", withExtensions(named, filler(3), named), "not-one-name"],
    ["server_name twice, of two names", withExtensions(named, serverName("www.example.net")), "not-one-name"],
    ["two names", withExtensions(nameList([0, host], [0, Buffer.from("www.example.net")])), "not-one-name"],
    ["the same name twice", withExtensions(nameList([0, host], [0, host])), "not-one-name"],
    ["a name of another kind", withExtensions(nameList([1, host])), "not-one-name"],
    ["a name of another kind behind it", withExtensions(nameList([0, host], [1, host])), "not-one-name"],
    ["a name of another kind before it", withExtensions(nameList([1, host], [0, host])), "not-one-name"],
    ["an empty list", withExtensions(nameList()), "not-one-name"],
    ["no list, as servers answer", withExtensions([0, Buffer.alloc(0)]), "malformed-hello"],
    ["half a length", withExtensions([0, Buffer.alloc(1)]), "malformed-hello"],
    ["a byte behind the name", withExtensions(nameExtension("0013", "00000f", "00")), "not-one-name"],
    ["a byte behind the list", withExtensions(nameExtension("0012", "00000f", "00")), "malformed-hello"],
    ["a list that is too long", withExtensions(nameExtension("0013", "00000f", "")), "malformed-hello"],
    ["a name that is too long", withExtensions(nameExtension("0012", "000010", "")), "malformed-hello"],
    ["a name that is too short", withExtensions(nameExtension("0012", "00000e", "")), "not-one-name"],
  ],
  "not a name": [
    ["the empty one", withExtensions(serverName("")), "odd-name"],
    ["an address", withExtensions(serverName("192.0.2.10")), "address-as-name"],
    ["an address of IPv6", withExtensions(serverName("2001:db8::1")), "address-as-name"],
    ["a dot at the end", withExtensions(serverName("api.example.com.")), "dot-at-end"],
    ["a single label", withExtensions(serverName("localhost")), "single-label"],
    ["NUL", withExtensions(serverName("api.example.com\0.example.net")), "odd-name"],
    ["a U-label", withExtensions(nameList([0, Buffer.from("b\u00fccher.example")])), "odd-name"],
  ],
};

for (const [what, rows] of Object.entries(tables))
  test(`refused: ${what}`, () => {
    for (const [how, bytes, refusal] of rows) {
      assert.deepEqual(readHello(bytes), { refusal }, how);
      assert.deepEqual(readHello(Buffer.concat([bytes, helloFor(name)])), { refusal }, `${how}, and more`);
    }
  });

test("a name in the second segment is waited for", () => {
  const bytes = withExtensions(filler(1216 + 6, 51), filler(300), named);
  const segment = 1448;
  assert.ok(bytes.indexOf(name) > segment);
  assert.equal(readHello(bytes.subarray(0, segment)), "more");
  assert.ok("hello" in Object(readHello(bytes)));
});

test("nothing is known of no bytes", () => {
  assert.equal(readHello(Buffer.alloc(0)), "more");
});

test("what is certain is told before the hello is whole", () => {
  for (const [hex, refusal] of [
    ["17", "not-tls"],
    ["1604", "not-tls"],
    ["160305", "not-tls"],
    ["1603010000", "malformed-hello"],
    ["1603014001", "malformed-hello"],
    ["160301010002", "not-a-hello"],
    ["160301010001004001", "long-hello"],
    ["160301010001000010", "malformed-hello"],
    ["1603010001011603010002000016030100424000", "malformed-hello"],
  ] as const)
    assert.deepEqual(readHello(Buffer.from(hex, "hex")), { refusal }, hex);
});

test("a name in capitals is read in lower case, and kept as it was sent", () => {
  const reading = readHello(helloFor("API.Example.com"));
  assert.ok(reading !== "more" && "hello" in reading);
  assert.deepEqual(reading.hello, { name, asked: "API.Example.com", hasEch: false });
});

test("Encrypted ClientHello is noted, wherever it stands", () => {
  for (const extensions of [
    [filler(186, 0xfe0d), named],
    [named, filler(0, 0xfe0d)],
  ]) {
    const reading = readHello(withExtensions(...extensions));
    assert.ok(reading !== "more" && "hello" in reading);
    assert.equal(reading.hello.hasEch, true);
  }
});

test("it is read in place, from the middle of other bytes too", () => {
  const bytes = helloFor(name);
  const around = Buffer.concat([Buffer.alloc(7, 22), bytes, Buffer.alloc(7, 22)]);
  assert.deepEqual(readHello(around.subarray(7, 7 + bytes.length)), readHello(bytes));
});

function between(other: Buffer): Buffer {
  const message = helloMessage();
  return Buffer.concat([record(message.subarray(0, 50)), other, record(message.subarray(50))]);
}

function behindInSecond(): Buffer {
  return cutAt(Buffer.concat([helloMessage(), Buffer.from([1])]), [60]);
}

/** The message is one byte longer than what is in it. */
function leftOver(): Buffer {
  const message = Buffer.concat([helloMessage(), Buffer.alloc(1)]);
  message.writeUIntBE(message.length - 4, 1, 3);
  return record(message);
}

/** The last extension has no room for its length. */
function shortExtension(bytes: number): Buffer {
  const message = Buffer.concat([helloMessage(), Buffer.alloc(bytes)]);
  message.writeUIntBE(message.length - 4, 1, 3);
  const lengthAt = 4 + 34 + 33 + 10 + 2;
  message.writeUInt16BE(message.readUInt16BE(lengthAt) + bytes, lengthAt);
  return record(message);
}

function nameExtension(listLength: string, entryHead: string, behind: string): Extension {
  return [0, Buffer.concat([Buffer.from(listLength + entryHead, "hex"), host, Buffer.from(behind, "hex")])];
}
