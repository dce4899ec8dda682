// Two boxes with this namespace as the router between them, and programs in them that talk by TCP.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { QueuedPacket } from "../../src/core/queued-packet.ts";
import { openQueue, type PacketQueue, type QueueSpec } from "../../src/edge/kernel/flows/queue.ts";
import { createReadiness, type Readiness } from "../../src/edge/kernel/readiness.ts";
import { createNamespace, run, type TestNamespace } from "./namespace.ts";

export const ways = [
  {
    family: 4,
    tool: "iptables-nft",
    client: "198.19.1.2",
    inside: "198.19.1.1",
    server: "203.0.113.9",
    outside: "203.0.113.1",
    length: 24,
  },
  {
    family: 6,
    tool: "ip6tables-nft",
    client: "2001:db8:1::2",
    inside: "2001:db8:1::1",
    server: "2001:db8:99::9",
    outside: "2001:db8:99::1",
    length: 64,
  },
] as const;
export type Way = (typeof ways)[number];

export interface TwoBoxes {
  /** Behind in0. */
  readonly client: TestNamespace;
  /** Behind out0. */
  readonly server: TestNamespace;
}

/** Makes them, with a way from each to the other by both families. */
export function makeTwoBoxes(): TwoBoxes {
  run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
  const [client, server] = [boxBehind("in0", "client"), boxBehind("out0", "server")];
  for (const way of ways) {
    join("in0", client, { inner: way.client, outer: way.inside, ...way });
    join("out0", server, { inner: way.server, outer: way.outside, ...way });
  }
  return { client, server };
}

function boxBehind(device: string, name: string): TestNamespace {
  const box = createNamespace(name);
  run("ip", "link", "add", device, "up", "type", "veth", "peer", "name", "eth0", "netns", name);
  box.run("ip", "link", "set", "eth0", "up");
  return box;
}

function join(
  device: string,
  box: TestNamespace,
  { inner, outer, length, family }: { inner: string; outer: string; length: number; family: 4 | 6 },
): void {
  const flags = family === 6 ? ["nodad"] : [];
  run("ip", "address", "add", `${outer}/${length}`, "dev", device, ...flags);
  box.run("ip", "address", "add", `${inner}/${length}`, "dev", "eth0", ...flags);
  box.run("ip", `-${family}`, "route", "add", "default", "via", outer);
}

/** The port at which the server listens. */
export const port = 9000;

/** A program in a box with one end of a TCP connection: says what comes in, and how it ends. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(box: TestNamespace, role: "listen" | "connect", address: string) {
    this.#child = spawn(
      "ip",
      ["netns", "exec", box.name, "python3", "-c", program, role, address, String(port)],
      {
        stdio: ["pipe", "pipe", "inherit"],
      },
    );
    this.#lines = createInterface({ input: this.#child.stdout ?? process.stdin })[Symbol.asyncIterator]();
  }

  /** One that waits for a connection, once it does. */
  static async listening(box: TestNamespace, address: string): Promise<Peer> {
    const peer = new Peer(box, "listen", address);
    await peer.next();
    return peer;
  }

  /** One that connects; its first word is that it has. */
  static connecting(box: TestNamespace, address: string): Peer {
    return new Peer(box, "connect", address);
  }

  /**
   * What it has to say next: `connected`, what it got, or how the connection has ended, `ECONNRESET` or `closed`.
   * @throws when it has nothing to say
   */
  async next(withinMs = 20_000): Promise<string> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error("a peer hears nothing")), withinMs);
    try {
      const { value } = await Promise.race([this.#lines.next(), late.promise]);
      return String(value);
    } finally {
      clearTimeout(timer);
    }
  }

  say(text: string): void {
    this.#child.stdin?.write(`${text}\n`);
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }
}

/**
 * The end of its input ends it, however the test ends. What it has sent and nobody has acknowledged ends with it: sent
 * again, that would be taken for what a later connection sends.
 */
const program = `
import errno, os, socket, struct, sys, threading
role, address, port = sys.argv[1:]
def say(text): print(text, flush=True)
c, connected = None, threading.Event()
def hear():
    global c
    try:
        if role == "listen":
            s = socket.create_server((address, int(port)), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
            say("listening")
            c = s.accept()[0]
            s.close()
        else:
            c = socket.create_connection((address, int(port)))
            say("connected")
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connected.set()
        while data := c.recv(1000): say(data.decode())
        say("closed")
    except OSError as e: say(errno.errorcode[e.errno])
    os._exit(0)
threading.Thread(target=hear, daemon=True).start()
for line in sys.stdin:
    connected.wait()
    c.sendall(line.strip().encode())
os._exit(0)
`;

/** A queue, and the packets that have come to it, each once. */
export class HeldPackets {
  readonly queue: PacketQueue;
  readonly #readiness: Readiness = createReadiness();
  readonly #packets: QueuedPacket[] = [];
  #arrived = Promise.withResolvers<void>();

  constructor(spec: QueueSpec) {
    this.queue = openQueue(spec);
    this.#readiness.watch(this.queue.fd, () => {
      this.#packets.push(...this.queue.receive());
      this.#arrived.resolve();
      this.#arrived = Promise.withResolvers();
    });
  }

  async next(): Promise<QueuedPacket> {
    for (;;) {
      const packet = this.#packets.shift();
      if (packet !== undefined) return packet;
      await this.#arrived.promise;
    }
  }

  close(): void {
    this.#readiness.close();
    this.queue.close();
  }
}
