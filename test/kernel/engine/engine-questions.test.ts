// What becomes of a question that root sends to port 53, shown by packets over the loopback: with the rules in force, the
// daemon there, busy, hung or dead.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { after, afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type EarlyQuestions, passHostQuestions } from "../../../src/control/daemon/early-questions.ts";
import { LateCaptures } from "../../../src/core/askers/late-captures.ts";
import type { Standing } from "../../../src/core/askers/standing.ts";
import { readCounters } from "../../../src/core/counters/registry.ts";
import { desiredRules } from "../../../src/core/firewall/ruleset.ts";
import { startEngineQuestions } from "../../../src/data/packets/engine-questions.ts";
import { type EngineProcess, watchEngineProcess } from "../../../src/edge/engine/process.ts";
import { holdEngineQuestions } from "../../../src/edge/kernel/flows/engine-queue.ts";
import { createSets } from "../../../src/edge/kernel/ipset/desired-sets.ts";
import { openKernelSets } from "../../../src/edge/kernel/ipset/kernel-sets.ts";
import { switchOff, switchOn } from "../../../src/edge/kernel/ipset/switch-set.ts";
import { createIptables } from "../../../src/edge/kernel/iptables/iptables.ts";
import { processesCalled } from "../../../src/edge/kernel/proc/socket-holder.ts";
import { createReadiness, type Readiness } from "../../../src/edge/kernel/readiness.ts";
import { socketInode, socketsTo } from "../../../src/edge/kernel/sock-diag.ts";
import { messageOf } from "../../../src/errors.ts";
import { flushSet } from "../../support/flush-set.ts";
import { until } from "../../support/lab/command.ts";
import { enterNamespaces, run } from "../../support/namespace.ts";

enterNamespaces(import.meta.url);

const refusals = (): number =>
  readCounters().find(({ name }) => name === "engine_questions_refused")?.value ?? assert.fail();

const queueNumber = 70;
const sets = openKernelSets();
createSets(sets);
run("ip", "link", "set", "lo", "up");

const servers: { close(): unknown }[] = [];
const heard: string[] = [];
for (const address of ["127.0.0.1", "::1"]) {
  const udp: Socket = createSocket(address === "::1" ? "udp6" : "udp4").on("message", (message) =>
    heard.push(String(message)),
  );
  udp.bind(53, address);
  await once(udp, "listening");
  const tcp: Server = createServer((socket) =>
    socket.on("data", (data) => heard.push(String(data))).on("error", () => undefined),
  );
  tcp.listen(53, address);
  await once(tcp, "listening");
  servers.push(udp, tcp);
}
after(() => {
  for (const server of servers) server.close();
});

/** Sends a question by a socket of its own; resolves to what the socket gets within some 300 ms. */
async function ask(transport: "udp" | "tcp", address: string, text: string): Promise<string> {
  return transport === "udp" ? askUdp(address, text) : askTcp(address, text);
}

async function askUdp(address: string, text: string): Promise<string> {
  const socket = createSocket(address === "::1" ? "udp6" : "udp4");
  let told = "";
  socket.on("error", (error: NodeJS.ErrnoException) => {
    told = error.code ?? "";
  });
  socket.connect(53, address);
  await once(socket, "connect");
  socket.send(text);
  for (let waitedMs = 0; waitedMs < 300 && told === "" && !heard.includes(text); waitedMs += 10)
    await sleep(10);
  socket.close();
  return told;
}

async function askTcp(address: string, text: string): Promise<string> {
  const socket = connect(53, address);
  let told = "";
  socket.on("error", (error: NodeJS.ErrnoException) => {
    told = error.code ?? "";
  });
  socket.on("connect", () => socket.write(text));
  for (let waitedMs = 0; waitedMs < 300 && told === "" && !heard.includes(text); waitedMs += 10)
    await sleep(10);
  socket.destroy();
  return told;
}

/** Sends datagrams from many sockets: what waits counts against its own, some 250 each. @returns how many */
async function flood(isEnough: (sent: number) => boolean): Promise<number> {
  const sockets = Array.from({ length: 40 }, () =>
    createSocket("udp4")
      .on("error", () => undefined)
      .unref(),
  );
  let sent = 0;
  for (let round = 0; round < 100 && !isEnough(sent); round++) {
    for (const socket of sockets) for (let i = 0; i < 5; i++) socket.send(`flood ${sent++}`, 53, "127.0.0.1");
    await sleep(5);
  }
  for (const socket of sockets) socket.close();
  return sent;
}

/** How many packets wait in the only queue there is. */
function waiting(): string | undefined {
  const [queue, ...others] = readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8").trim().split("\n");
  assert.deepEqual(others, []);
  return queue?.trim().split(/\s+/)[2];
}

const ways = (["udp", "tcp"] as const).flatMap((transport) =>
  ["127.0.0.1", "::1"].map((address) => [transport, address] as const),
);

for (const backend of ["nft", "legacy"] as const)
  describe(`questions by iptables-${backend}`, () => questions(backend));

function questions(backend: "nft" | "legacy"): void {
  let readiness: Readiness;
  let end: ReturnType<typeof startEngineQuestions>;
  let standing: Standing["kind"];
  let lates: LateCaptures;
  let looks = 0;
  let isEngines = true;
  let engineProcess: EngineProcess | undefined;
  const seen: (number | undefined)[] = [];
  const problems: string[] = [];

  function start(queue = holdEngineQuestions(queueNumber, sets)): void {
    end = startEngineQuestions({
      queueNumber,
      queue,
      readiness,
      sets,
      lates,
      captureNow: () => {
        looks += 1;
      },
      mayBeEngines: (packet) => {
        seen.push(socketInode(packet));
        return isEngines;
      },
      isEngineIdle: () => engineProcess?.isIdle() ?? false,
      onUnknown: () => undefined,
      onProblem: (problem) => problems.push(problem),
    });
  }

  beforeEach(async () => {
    for (const family of [4, 6] as const)
      await createIptables(backend).apply(
        family,
        desiredRules({ family, dnsPort: 5053, queueNumber, hold: true }),
      );
    readiness = createReadiness();
    lates = new LateCaptures();
    looks = 0;
    isEngines = true;
    engineProcess = undefined;
    heard.length = 0;
    seen.length = 0;
    problems.length = 0;
    start();
  });

  afterEach(async () => {
    end("accept");
    readiness.close();
    for (const family of [4, 6] as const) await createIptables(backend).apply(family, []);
  });

  const late = (kind: Standing["kind"]): void => {
    standing = kind;
    lates.add(
      "box",
      { standing: () => standing, hasAskedPast: () => true, isAskedFrom: () => false },
      performance.now(),
    );
  };

  for (const [whose, passes] of [
    ["the host's own", true],
    ["a late guarded container's", false],
  ] as const)
    it(`that wait when it ends ${passes ? "pass" : "do not pass"} where they are ${whose}`, async () => {
      late("unknown");
      isEngines = !passes;
      execFileSync("bash", ["-c", "printf %s last >/dev/udp/127.0.0.1/53"]);
      end("drop");
      assert.equal(await ask("udp", "127.0.0.1", "then"), "");
      assert.deepEqual(heard, passes ? ["last", "then"] : ["then"]);
    });

  describe("while a daemon starts", () => {
    let early: EarlyQuestions;
    let mayBeEngines: (packet: Uint8Array) => boolean;

    beforeEach(() => {
      end("accept");
      mayBeEngines = (packet) => !Buffer.from(packet).includes("host's");
      begin();
    });

    function begin(): void {
      early = passHostQuestions({
        queueNumber,
        queue: holdEngineQuestions(queueNumber, sets),
        sets,
        readiness,
        mayBeEngines: (packet) => mayBeEngines(packet),
        onFailure: (error) => problems.push(messageOf(error)),
      });
    }

    for (const [transport, address] of ways)
      it(`pass at once where they are the host's own, ${transport} to ${address}`, async () => {
        // The first packet of TCP has no text.
        mayBeEngines = () => false;
        assert.equal(await ask(transport, address, "early"), "");
        assert.deepEqual([heard, looks, problems], [["early"], 0, []]);
        start(early.handOver());
      });

    it("pass in between where they are the host's own and the daemon is busy", () => {
      execFileSync("bash", ["-c", "printf %s early >/dev/udp/127.0.0.1/53"]);
      execFileSync("bash", ["-c", 'printf %s "the host\'s" >/dev/udp/127.0.0.1/53']);
      assert.equal(waiting(), "2");
      early.serve();
      assert.equal(waiting(), "1");
      const queue = early.handOver();
      execFileSync("bash", ["-c", 'printf %s "the host\'s" >/dev/udp/127.0.0.1/53']);
      early.serve();
      assert.equal(waiting(), "2", "it is another's by now");
      start(queue);
    });

    for (const [standing, passes] of [
      ["guarded", false],
      ["open", true],
    ] as const)
      it(`${passes ? "pass" : "are refused"} in the end where they may be those of one that is ${standing}`, async () => {
        execFileSync("bash", ["-c", "printf %s early >/dev/udp/127.0.0.1/53"]);
        await ask("udp", "127.0.0.1", "the host's");
        assert.deepEqual(heard, ["the host's"]);
        const queue = early.handOver();
        execFileSync("bash", ["-c", "printf %s later >/dev/udp/127.0.0.1/53"]);
        late(standing);
        start(queue);
        await until("both to be judged", 1_000, () => (waiting() === "0" ? true : undefined));
        await ask("udp", "127.0.0.1", "last");
        assert.deepEqual(heard, passes ? ["the host's", "early", "later", "last"] : ["the host's"]);
        assert.equal(problems.length, passes ? 0 : 3);
      });

    it("wait for as long as the engine keeps the daemon waiting", async () => {
      flushSet(sets, "dockerwall-awake4");
      await until("the set to be filled again", 8_000, () =>
        sets.list("dockerwall-awake4").length > 0 ? true : undefined,
      );
      await ask("udp", "127.0.0.1", "early");
      assert.deepEqual(heard, []);
      start(early.handOver());
    });

    it("are held by their sender for as long as the engine keeps the daemon waiting, where they were", async () => {
      const heldFor = (): number => sets.list("dockerwall-held4")[0]?.timeoutSeconds ?? 0;
      assert.equal(heldFor(), 0);
      start(early.handOver());
      end("accept");
      switchOn(sets, "held", 20);
      begin();
      assert.ok(heldFor() > 60, `${heldFor()}`);
      flushSet(sets, "dockerwall-held4");
      await until("the set to be filled again", 8_000, () => (heldFor() > 60 ? true : undefined));
      start(early.handOver());
      switchOff(sets, "held");
    });

    it("beyond what can be held are refused when they are the engine's, and pass when they are the host's", async () => {
      const sent = await flood((sent) => sent >= 6_000);
      assert.ok(sent >= 6_000);
      await ask("udp", "127.0.0.1", "the host's");
      assert.deepEqual([heard, waiting()], [["the host's"], "4096"]);
      start(early.handOver());
      await until("all to be judged", 5_000, () => (waiting() === "0" ? true : undefined));
    });

    it("wait where it cannot be told whose they are", async () => {
      mayBeEngines = () => {
        throw new Error("a bug");
      };
      await ask("udp", "127.0.0.1", "unknown");
      assert.deepEqual([heard, problems, waiting()], [[], ["a bug"], "1"]);
      start(early.handOver());
      await until("it to pass", 1_000, () => (heard.includes("unknown") ? true : undefined));
    });
  });

  it("that cannot be judged are a problem, and keep no place in the queue", async () => {
    const standing = (): never => {
      throw new Error("a bug");
    };
    lates.add("box", { standing, hasAskedPast: () => true, isAskedFrom: () => false }, performance.now());
    execFileSync("bash", ["-c", "printf %s bad >/dev/udp/127.0.0.1/53"]);
    await until("the problem", 1_000, () => problems[0]);
    assert.deepEqual([problems, heard], [["questions of the engine: a bug"], []]);
    assert.equal(waiting(), "0");
  });

  for (const [transport, address] of ways) {
    const way = `${transport} to ${address}`;

    it(`pass when nobody was late, after a look, ${way}`, async () => {
      assert.equal(await ask(transport, address, way), "");
      assert.deepEqual(heard, [way]);
      assert.equal(looks, 1);
      assert.deepEqual(problems, []);
    });

    it(`are refused, and told so at once, when a guarded container was late, ${way}`, async () => {
      const before = refusals();
      late("guarded");
      assert.match(await ask(transport, address, way), /^(ECONNREFUSED|EHOSTUNREACH|EACCES)$/);
      assert.deepEqual(heard, []);
      assert.ok(refusals() > before);
      assert.ok(Number(seen[0]) > 0, "the socket of the packet");
      assert.match(problems[0] ?? "", /came late/);
    });

    it(`pass when a guarded container was late, but they are not the engine's, ${way}`, async () => {
      late("guarded");
      isEngines = false;
      assert.equal(await ask(transport, address, way), "");
      assert.deepEqual(heard, [way]);
    });

    it(`wait until it is known who was late, ${way}`, async () => {
      late("unknown");
      const asked = ask(transport, address, way);
      await until("a question", 1_000, () => (looks > 0 ? true : undefined));
      await sleep(50);
      assert.deepEqual(heard, []);
      standing = "open";
      assert.equal(await asked, "");
      assert.deepEqual(heard, [way]);
    });

    it(`pass while no daemon is there, ${way}`, async () => {
      end("accept");
      assert.equal(await ask(transport, address, way), "");
      assert.deepEqual(heard, [way]);
      assert.equal(looks, 0);
    });
  }

  it("pass a daemon by that has not said for long that it is awake, and not before", async () => {
    // It hangs: nobody serves the queue.
    readiness.close();
    await ask("udp", "127.0.0.1", "held");
    assert.deepEqual(heard, []);
    flushSet(sets, "dockerwall-awake4");
    await ask("udp", "127.0.0.1", "passes");
    assert.deepEqual(heard, ["passes"]);
  });

  it("beyond what can be held are refused when they are the engine's, and pass when they are the host's", async () => {
    late("unknown");
    const sent = await flood(() => problems.length > 0);
    assert.match(problems[0] ?? `${sent} sent, none refused`, /came late/);
    assert.deepEqual(heard, []);
    isEngines = false;
    await ask("udp", "127.0.0.1", "the host's");
    assert.deepEqual(heard, ["the host's"]);
  });

  it("are refused at the engine's next resolver too, when the first has kept one waiting", async () => {
    // As Docker's resolver: four seconds for each, and the next one as soon as one fails.
    const asksOn = `
      for to in 127.0.0.1 127.0.0.2; do
        exec 3<>/dev/udp/$to/53; printf %s "to $to" >&3; read -t 4 <&3
      done`;
    const second = createSocket("udp4").on("message", (message) => heard.push(String(message)));
    second.bind(53, "127.0.0.2");
    await once(second, "listening");
    late("unknown");
    const child = spawn("bash", ["-c", asksOn], { stdio: "ignore" });
    engineProcess = watchEngineProcess(() => child.pid, "no such name");
    // It sleeps meanwhile, for longer than an engine with nothing to do is suspected.
    await sleep(1_500);
    standing = "guarded";
    await once(child, "exit");
    second.close();
    assert.deepEqual(heard, []);
    assert.equal(problems.length, 2);
  });

  it("go on to the rules of others, without a mark of ours", async () => {
    run(
      `iptables-${backend}`,
      "-t",
      "mangle",
      "-A",
      "OUTPUT",
      "-p",
      "udp",
      "--dport",
      "53",
      "-m",
      "mark",
      "--mark",
      "0x0",
      "-j",
      "DROP",
    );
    await ask("udp", "127.0.0.1", "dropped");
    run(
      `iptables-${backend}`,
      "-t",
      "mangle",
      "-D",
      "OUTPUT",
      "-p",
      "udp",
      "--dport",
      "53",
      "-m",
      "mark",
      "--mark",
      "0x0",
      "-j",
      "DROP",
    );
    assert.equal(looks, 1);
    assert.deepEqual(heard, []);
  });

  it("are alone in losing our mark: what others mark so keeps it", async () => {
    const tool = `iptables-${backend}`;
    const other = ["-p", "udp", "--dport", "5300"];
    run(tool, "-t", "mangle", "-I", "OUTPUT", "1", ...other, "-j", "MARK", "--set-mark", "0x10000000");
    run(tool, "-A", "OUTPUT", ...other, "-m", "mark", "--mark", "0x10000000", "-j", "ACCEPT");
    run("bash", "-c", "echo x >/dev/udp/127.0.0.1/5300");
    const counted = run(tool, "-vxnL", "OUTPUT");
    run(tool, "-D", "OUTPUT", ...other, "-m", "mark", "--mark", "0x10000000", "-j", "ACCEPT");
    run(tool, "-t", "mangle", "-D", "OUTPUT", ...other, "-j", "MARK", "--set-mark", "0x10000000");
    assert.match(counted, /^ +1 +\d+ ACCEPT .*5300/m);
    assert.equal(looks, 0);
  });

  it("come before us by TCP even where connection tracking has to leave them alone", async () => {
    const tool = `iptables-${backend}`;
    const untracked = ["-p", "tcp", "--dport", "53", "-j", "CT", "--notrack"];
    run(tool, "-t", "raw", "-A", "OUTPUT", ...untracked);
    assert.equal(await ask("tcp", "127.0.0.1", "untracked"), "");
    run(tool, "-t", "raw", "-D", "OUTPUT", ...untracked);
    assert.deepEqual([heard, looks], [["untracked"], 1]);
  });

  it("of others than root do not come before us", async () => {
    const script = "exec 3<>/dev/udp/127.0.0.1/53; echo -n nobody >&3";
    run("setpriv", "--reuid", "65534", "--clear-groups", "bash", "-c", script);
    await until("the question", 1_000, () => (heard.includes("nobody") ? true : undefined));
    assert.equal(looks, 0);
  });
}

it("of the engine are known by its sockets, which are read once for all that had arrived", async () => {
  const engine = watchEngineProcess(() => process.pid, "no such name");
  const packet = async (socket: Socket): Promise<Uint8Array> => {
    socket.connect(53, "127.0.0.1");
    await once(socket, "connect");
    const bytes = Buffer.alloc(28);
    bytes.set([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    bytes.writeUInt16BE(socket.address().port, 20);
    bytes.writeUInt16BE(53, 22);
    return bytes;
  };
  const first = createSocket("udp4");
  const second = createSocket("udp4");
  assert.equal(engine.maySend(await packet(first), performance.now()), true);
  // Opened after the reading: found by another one, as the packet came later too.
  assert.equal(engine.maySend(await packet(second), performance.now()), true);
  const other = watchEngineProcess(() => 1, "no such name");
  const arrivedAtMs = performance.now();
  for (let i = 0; i < 3; i++)
    assert.equal(other.maySend(await packet(createSocket("udp4").unref()), arrivedAtMs), false);
  const crashed = watchEngineProcess(() => undefined, "no such name");
  assert.equal(crashed.maySend(await packet(createSocket("udp4").unref()), performance.now()), false);
  const hidden = watchEngineProcess(() => undefined, readFileSync("/proc/self/comm", "utf8").trim());
  assert.equal(hidden.maySend(await packet(createSocket("udp4").unref()), performance.now()), true);
  // A container may call its process so.
  const name = "called-alike";
  const called = `echo -n ${name} > /proc/self/comm; echo; read`;
  const child = spawn("unshare", ["--net", "bash", "-c", called], { stdio: ["pipe", "pipe", "ignore"] });
  await once(child.stdout, "data");
  assert.ok(processesCalled(name).length > 0);
  const elsewhere = watchEngineProcess(() => undefined, name);
  assert.equal(elsewhere.maySend(await packet(createSocket("udp4").unref()), performance.now()), false);
  let asked = 0;
  const successor = watchEngineProcess(() => {
    asked += 1;
    return child.pid;
  }, name);
  for (let i = 0; i < 2; i++)
    successor.maySend(await packet(createSocket("udp4").unref()), performance.now());
  assert.equal(asked, 2);
  child.stdin.end();
  await once(child, "exit");
  const gone = createSocket("udp4");
  const sent = await packet(gone);
  gone.close();
  await once(gone, "close");
  assert.equal(crashed.maySend(sent, performance.now()), true);
  first.close();
  second.close();
});

for (const [transport, port, isIdle] of [
  ["tcp", 53, false],
  ["udp", 53, false],
  ["udp", 54, true],
] as const)
  it(`await an answer: who has a socket to port ${port}/${transport} and sleeps is ${isIdle ? "" : "not "}idle`, async () => {
    const drop = ["INPUT", "-d", "127.0.0.9", "-j", "DROP"];
    run("iptables-nft", "-A", ...drop);
    // By TCP it waits for the connection, by UDP for an answer.
    const script = `exec 3<>/dev/${transport}/127.0.0.9/${port}; read <&3`;
    const before = socketsTo(port)?.length ?? 0;
    const child = spawn("bash", ["-c", script], { stdio: "ignore" });
    await until("the socket", 2_000, () => (socketsTo(port)?.length === before + 1 ? true : undefined));
    await until("it to sleep", 2_000, () =>
      /^State:\tS/m.test(readFileSync(`/proc/${child.pid}/status`, "utf8")) ? true : undefined,
    );
    const engine = watchEngineProcess(() => child.pid, "no such name");
    assert.deepEqual([engine.isIdle(), engine.mayAsk()], [isIdle, !isIdle]);
    const other = watchEngineProcess(() => 1, "no such name");
    assert.equal(other.mayAsk(), false);
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.equal(socketsTo(port)?.length, before);
    run("iptables-nft", "-D", ...drop);
  });
