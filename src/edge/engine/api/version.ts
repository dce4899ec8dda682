// Which version of its API an engine is asked by. One that both know stands in every path: without one an engine answers in
// the form of its newest, which may be one that was made after us.

import { DockerwallError, messageOf } from "../../../errors.ts";

/** What an answer has been read by: its members are there, with the same meaning, in all versions between. */
const oldest = "1.40";
const newest = "1.57";
/** Engines from 25 on know it (those with `min-api-version` aside); others say what they know. */
const askedFirst = "1.44";

/**
 * The newest version that both know.
 * @param ask what the engine says of its newest version, asked by a version in the path
 * @throws DockerwallError ENGINE_REFUSED naming the versions, when there is none; whatever `ask` throws
 */
export async function agreeOnVersion(ask: (version: string) => Promise<string | undefined>): Promise<string> {
  try {
    return lesser(newest, (await ask(askedFirst)) ?? askedFirst);
  } catch (error) {
    const limit = limitIn(error);
    if (limit === undefined) throw error;
    if (isLess(limit, oldest) || isLess(newest, limit)) throw strangers(limit, error);
    return lesser(newest, (await ask(limit)) ?? limit);
  }
}

/** Whether an engine has refused a request for the version in its path alone. */
export function isVersionRefused(error: unknown): boolean {
  return limitIn(error) !== undefined;
}

/** The least or the greatest version that an engine takes, as it says when it is asked by one beyond. */
function limitIn(error: unknown): string | undefined {
  return /client version \S+ is too (?:old|new)\. (?:Minimum|Maximum) supported API version is (\d+\.\d+)/.exec(
    messageOf(error),
  )?.[1];
}

function strangers(limit: string, cause: unknown): DockerwallError {
  const [reach, remedy] = isLess(limit, oldest)
    ? [`up to version ${limit}`, "use a newer engine"]
    : [
        `from version ${limit} on`,
        "use a newer Dockerwall, or a lower `min-api-version` in the engine's daemon.json",
      ];
  return new DockerwallError(
    "ENGINE_REFUSED",
    `the Docker engine speaks its API ${reach}, and Dockerwall ${oldest} to ${newest}; ${remedy}`,
    { cause },
  );
}

function lesser(one: string, other: string): string {
  return isLess(one, other) ? one : other;
}

/** 1.9 is less than 1.10. */
function isLess(one: string, other: string): boolean {
  const [major = 0, minor = 0] = one.split(".").map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split(".").map(Number);
  return major === otherMajor ? minor < otherMinor : major < otherMajor;
}
