// Who may keep a daemon from this host: another daemon, and nobody who has no rights on the host's network.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, test } from "node:test";
import { uninstallHere } from "../../../src/control/uninstall-without-daemon.ts";
import { claimHost } from "../../../src/edge/host/claim.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const others: ChildProcess[] = [];
afterEach(async () => {
  for (const other of others.splice(0)) {
    other.kill("SIGKILL");
    if (other.exitCode === null && other.signalCode === null) await once(other, "exit");
  }
});

/** Runs a program of Node's in this namespace, and gives its first line. */
async function say(program: string, ...as: readonly string[]): Promise<string> {
  const node = [process.execPath, "--import", "tsx", "--input-type=module", "-e", program];
  const [command = "", ...args] = [...as, ...node];
  const other = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], cwd: import.meta.dirname });
  others.push(other);
  const [line] = await once(other.stdout, "data");
  return String(line).trim();
}

const claimant = `
import { claimHost } from "../../../src/edge/host/claim.ts";
try { claimHost(); console.log("claimed"); } catch (error) { console.log(error.code); }
setInterval(() => {}, 1000);
`;
/** Every name of a socket that a daemon was ever known by. */
const squatter = `
import { createServer } from "node:net";
createServer().listen("\\0dockerwall", () => console.log("squats"));
setInterval(() => {}, 1000);
`;
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
/** As a container on the host's network has it by default, without NET_ADMIN. */
const powerless = ["setpriv", "--bounding-set=-net_admin"];

test("a second claim is refused, and the message names who holds the first", async () => {
  assert.equal(await say(claimant), "claimed");
  assert.throws(() => claimHost(), {
    code: "DAEMON_RUNNING",
    message: new RegExp(`guards this host.*process ${others[0]?.pid} \\(node\\).*stop it first`),
  });
});

test("a claim ends with its holder, however that ends, and when it is given up", async () => {
  assert.equal(await say(claimant), "claimed");
  const [holder] = others;
  holder?.kill("SIGKILL");
  if (holder !== undefined) await once(holder, "exit");
  claimHost()[Symbol.dispose]();
  claimHost()[Symbol.dispose]();
});

test("a process without rights on the host's network cannot keep a daemon away", async () => {
  assert.equal(await say(squatter, ...nobody), "squats");
  for (const as of [nobody, powerless]) assert.equal(await say(claimant, ...as), "NO_PRIVILEGE");
  claimHost()[Symbol.dispose]();
});

test("nobody uninstalls behind the back of a daemon, whose socket may be elsewhere: it would put all back", async () => {
  run("iptables-nft", "-t", "mangle", "-N", "DOCKERWALL-FORWARD");
  const was = run("iptables-nft-save");
  assert.equal(await say(claimant), "claimed");
  await assert.rejects(uninstallHere("auto"), {
    code: "DAEMON_RUNNING",
    message: new RegExp(`^nothing was removed.*process ${others[0]?.pid} .*stop it first`),
  });
  assert.equal(run("iptables-nft-save").replaceAll(/^#.*$/gm, ""), was.replaceAll(/^#.*$/gm, ""));
  const [holder] = others;
  holder?.kill("SIGKILL");
  if (holder !== undefined) await once(holder, "exit");
  await uninstallHere("auto").catch((error) => assert.match(error.message, /dockerd/));
  assert.doesNotMatch(run("iptables-nft-save"), /DOCKERWALL/);
});
