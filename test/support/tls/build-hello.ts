// ClientHellos to order, right and wrong ones.

export type Extension = readonly [type: number, data: Buffer];

export interface HelloParts {
  readonly messageType?: number;
  readonly version?: number;
  readonly sessionId?: Buffer;
  readonly suites?: Buffer;
  readonly methods?: Buffer;
  /** `none`: the message ends where their length would be. */
  readonly extensions?: readonly Extension[] | "none";
}

const HANDSHAKE = 22;

/** The bytes with their length before them. */
export function vector(bytes: Buffer, lengthBytes: 1 | 2 | 3): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(bytes.length, 0, lengthBytes);
  return Buffer.concat([length, bytes]);
}

function word(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

/** The extension server_name with these entries. */
export function nameList(...entries: readonly (readonly [type: number, name: Buffer])[]): Extension {
  const list = Buffer.concat(
    entries.map(([type, name]) => Buffer.concat([Buffer.from([type]), vector(name, 2)])),
  );
  return [0, vector(list, 2)];
}

/** As every client sends it. */
export function serverName(name: string): Extension {
  return nameList([0, Buffer.from(name, "latin1")]);
}

/** One that says nothing to us, of so many bytes. */
export function filler(length: number, type = 21): Extension {
  return [type, Buffer.alloc(length, 0xa5)];
}

/** The handshake message with its header. */
export function helloMessage(parts: HelloParts = {}): Buffer {
  const extensions = parts.extensions ?? [serverName("api.example.com")];
  const body = Buffer.concat([
    word(parts.version ?? 0x0303),
    Buffer.alloc(32, 0x5a),
    vector(parts.sessionId ?? Buffer.alloc(32, 0x11), 1),
    vector(parts.suites ?? Buffer.from("130113021303c02b", "hex"), 2),
    vector(parts.methods ?? Buffer.from([0]), 1),
    extensions === "none"
      ? Buffer.alloc(0)
      : vector(
          Buffer.concat(extensions.map(([type, data]) => Buffer.concat([word(type), vector(data, 2)]))),
          2,
        ),
  ]);
  return Buffer.concat([Buffer.from([parts.messageType ?? 1]), vector(body, 3)]);
}

/** One record. */
export function record(fragment: Buffer, type = HANDSHAKE, version = 0x0301): Buffer {
  return Buffer.concat([Buffer.from([type]), word(version), vector(fragment, 2)]);
}

/** The message in records that end at these offsets of it, the last at its end. */
export function cutAt(message: Buffer, ends: readonly number[]): Buffer {
  return Buffer.concat(
    [...ends, message.length].map((end, index) => record(message.subarray(ends[index - 1] ?? 0, end))),
  );
}

/** The message in as many records, about equally long. */
export function inRecords(message: Buffer, count: number): Buffer {
  const ends = Array.from({ length: count - 1 }, (_, index) =>
    Math.ceil((message.length * (index + 1)) / count),
  );
  return cutAt(message, ends);
}

/** One record that asks for a name, with other extensions behind it. */
export function helloFor(name: string, ...extensions: readonly Extension[]): Buffer {
  return record(helloMessage({ extensions: [serverName(name), ...extensions] }));
}

/** As BoringSSL sends it: GREASE first and last (RFC 8701), the name among others, a share of ML-KEM, GREASE of ECH. */
export function browserHello(name: string): Buffer {
  const share = Buffer.concat([word(0x11ec), vector(Buffer.alloc(1216, 0x77), 2)]);
  return helloMessage({
    suites: Buffer.from("0a0a130113021303", "hex"),
    extensions: [
      [0x1a1a, Buffer.alloc(0)],
      [51, vector(share, 2)],
      [43, Buffer.from("0403040303", "hex")],
      serverName(name),
      filler(186, 0xfe0d),
      [0x2a2a, Buffer.from([0])],
    ],
  });
}
