// How the values of settings are read. All throw an Error whose message completes "SETTING is VALUE, but ".

import { maxUpstreams, parseUpstream, upstreamForms } from "../../../core/dns/upstream-text.ts";
import { claimQueueNumber, engineQueueNumber, unsettledQueueNumber } from "../../../core/firewall/names.ts";
import { didYouMean } from "../../../core/model/did-you-mean.ts";
import { parseDuration } from "../../../core/model/duration.ts";
import type { Upstream } from "../../../core/model/upstream.ts";

/** A unix socket's path has at most 107 bytes, and the server binds under a longer, temporary name first. */
const maxSocketPathBytes = 90;

export function duration(least: number, most: number): (text: string) => number {
  return (text) => {
    const seconds = parseDuration(text);
    if (seconds !== undefined && seconds >= least && seconds <= most) return seconds;
    throw new Error(`it must be a duration from ${least}s to ${most}s, as in 24h, 90m or 3600s`);
  };
}

export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new Error(`it must be a whole number from ${least} to ${most}`);
  };
}

/** The first of three queues; none of them may be that of the claim, which another daemon would seem to have. */
export function queueNumber(text: string): number {
  const first = wholeNumber(0, 65_535 - 2)(text);
  if ([first, engineQueueNumber(first), unsettledQueueNumber(first)].includes(claimQueueNumber))
    throw new Error(
      `queue ${claimQueueNumber} would be one of its three, and by that one a daemon claims the host; take another number`,
    );
  return first;
}

export function oneOf<const Choice extends string>(choices: readonly Choice[]): (text: string) => Choice {
  return (text) => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice !== undefined) return choice;
    throw new Error(`it must be one of ${choices.join(", ")}${didYouMean(text, choices)}`);
  };
}

export function absolutePath(text: string): string {
  if (text.startsWith("/") && !text.includes("\0")) return text;
  throw new Error("it must be an absolute path, beginning with /");
}

export function socketPath(text: string): string {
  if (Buffer.byteLength(absolutePath(text)) <= maxSocketPathBytes) return text;
  throw new Error(
    `it may have at most ${maxSocketPathBytes} bytes, as the path of a unix socket; choose a shorter one`,
  );
}

export function dockerSocketPath(text: string): string {
  const scheme = /^([a-z]+):\/\//.exec(text)?.[1];
  if (scheme === undefined) return absolutePath(text);
  if (scheme === "unix") return absolutePath(text.slice("unix://".length));
  throw new Error(
    `Dockerwall can only guard the engine of its own machine; mount the engine's socket and write unix:///var/run/docker.sock`,
  );
}

export function parseUpstreams(text: string): Upstream[] {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  if (parts.length === 0 || parts.length > maxUpstreams)
    throw new Error(`it must name 1 to ${maxUpstreams} resolvers, not ${parts.length}`);
  return parts.map((part) => {
    const upstream = parseUpstream(part);
    if (upstream === undefined) throw new Error(`${JSON.stringify(part)} in it is not ${upstreamForms}`);
    return upstream;
  });
}
