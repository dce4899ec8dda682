// Watching the wire. Leaks are judged here, on the internet's end of a link, never by what a client reports.
import { readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Box } from "./box.ts";
import { until } from "./command.ts";
import { type Packet, parsePcap } from "./pcap.ts";

/** A port that nothing uses: a packet to it marks a point in the capture. */
const markerPort = 65_353;

/** A capture that is running. */
export type Capture = {
  /** All packets so far; everything that had crossed the link before the call is in. */
  readonly packets: () => Promise<Packet[]>;
  /**
   * Ends the capture and returns all its packets.
   * @throws Error when the kernel had to drop some
   */
  readonly stop: () => Promise<Packet[]>;
};

/**
 * What to capture.
 * @property device interface in the box, or `any`
 * @property filter pcap-filter(7), empty for everything
 * @property markTo an address whose packets cross the device
 * @property snapBytes what is kept of a packet, 0 for all of it; the ring has room for as many more as this is less
 */
export type CaptureOptions = {
  readonly name: string;
  readonly device: string;
  readonly filter: string;
  readonly markTo: string;
  readonly snapBytes?: number;
};

/** Starts capturing; returns when packets are really being seen. */
export async function startCapture(box: Box, options: CaptureOptions): Promise<Capture> {
  const { name, device, filter, markTo, snapBytes = 0 } = options;
  const file = join(box.runFolder, `${name}.pcap`);
  rmSync(file, { force: true });
  const marker = `udp dst port ${markerPort}`;
  const expression = filter === "" ? [] : [`(${filter}) or (${marker})`];
  // -Z root: no change of user. A 64 MiB ring lets a flood of small packets pass without loss.
  const dump = box.background(name, [
    ...[
      "tcpdump",
      "-i",
      device,
      "-n",
      "-p",
      "-U",
      "--immediate-mode",
      "-B",
      "65536",
      "-s",
      String(snapBytes),
      "-Z",
      "root",
    ],
    ...["-w", `/run/${name}.pcap`, ...expression],
  ]);
  let marks = 0;

  const isMarker = (packet: Packet): boolean => packet.dport === markerPort && packet.dst === markTo;
  /** Sends a packet with a number of its own and reads until it shows up: what came before it is then in the file. */
  const settled = async (): Promise<Packet[]> => {
    marks += 1;
    const text = `mark ${marks} ${name}`;
    await box.command(["bash", "-c", `echo -n "${text}" > /dev/udp/${markTo}/${markerPort}`]);
    return await until(
      `mark in capture ${name}`,
      30_000,
      async () => {
        const packets = parsePcap(await readFile(file));
        const seen = packets.findLastIndex(
          (packet) => isMarker(packet) && packet.payload.toString() === text,
        );
        return seen < 0 ? undefined : packets.slice(0, seen).filter((packet) => !isMarker(packet));
      },
      () => readFileSync(dump.log, "utf8"),
    );
  };

  await until(`start of capture ${name}`, 30_000, () => {
    const log = readFileSync(dump.log, "utf8");
    if (!dump.alive()) throw new Error(`lab: tcpdump ended:\n${log}`);
    return log.includes("listening on") ? true : undefined;
  });
  const before = (await settled()).length;
  return {
    packets: async () => (await settled()).slice(before),
    stop: async () => {
      const packets = (await settled()).slice(before);
      process.kill(dump.pid, "SIGTERM");
      await until(`end of capture ${name}`, 30_000, () => (dump.alive() ? undefined : true));
      const lost = /(\d+) packets? dropped by kernel/.exec(readFileSync(dump.log, "utf8"))?.[1];
      if (lost !== "0")
        throw new Error(`lab: capture ${name} lost ${lost} packets, so it proves nothing; narrow its filter`);
      rmSync(file, { force: true });
      return packets;
    },
  };
}
