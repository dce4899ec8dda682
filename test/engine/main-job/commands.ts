// The commands that change something, as typed.

import assert from "node:assert/strict";
import { curl, rights, run, succeeds } from "../../support/dockerwall.ts";
import type { Lab } from "../../support/lab/lab.ts";

/** `prepare-network`: what it makes is enforced when it returns, and what it refuses has its exit code. */
export async function preparesNetwork(lab: Lab, name: string): Promise<void> {
  const engine = lab.engine(name);
  const prepare = ["exec", "dockerwall", "dockerwall", "prepare-network"];
  await run(engine, ...prepare, "prepared", "*.example.com");
  const twice = await engine.docker(...prepare, "prepared", "*.example.com");
  assert.equal(twice.exitCode, 73);
  assert.match(twice.stderr, /^dockerwall: network "prepared" already exists/);
  const bad = await engine.docker(...prepare, "other", "*");
  assert.equal(bad.exitCode, 65);
  const fetch = ["busybox:lab", "wget", "-q", "-O", "/dev/null", "http://www.example.com/"];
  await run(engine, "run", "--rm", "--network", "prepared", ...fetch);
}

/** `uninstall`: no rule and no set of ours is left, and what was guarded is open. */
export async function uninstalls(lab: Lab, name: string): Promise<void> {
  const engine = lab.engine(name);
  await run(engine, "exec", "dockerwall", "dockerwall", "uninstall");
  for (const tool of [
    "iptables-nft-save",
    "ip6tables-nft-save",
    "iptables-legacy-save",
    "ip6tables-legacy-save",
    "ipset save",
  ]) {
    const shell = ["--entrypoint", "sh", "dockerwall:lab", "-c", tool];
    const saved = await run(engine, "run", "--rm", ...rights, "--network", "host", ...shell);
    assert.doesNotMatch(saved, /dockerwall/i, tool);
  }
  await succeeds(engine, "web", ...curl(`http://203.0.113.30/`));
  await succeeds(engine, "web", ...curl("http://www.example.org/"));
}
