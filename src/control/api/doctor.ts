// `doctor`: checks the host and every guarded container by behaviour. It does not trust lists: it asks a question inside
// each sandbox, reads the rules from the kernel, and asks the upstreams.

import { nothing } from "../../core/api/request-checks.ts";
import { type Family, familyOf } from "../../core/model/address.ts";
import type { StatusReport } from "../../core/model/report/status.ts";
import type { Container, Topology } from "../../core/model/topology.ts";
import type { Engine } from "../../edge/engine/engine.ts";
import { readResolvConf } from "../../edge/engine/files/resolv-conf.ts";
import { engineRoot } from "../../edge/engine/root.ts";
import { forwardingSwitchedOff } from "../../edge/host/forwarding.ts";
import { findSavedRules, type SavedFinding } from "../../edge/kernel/iptables/saved-rules.ts";
import type { AskedServer, DataPlaneFindings } from "../../planes/request-table.ts";
import { type ApiParts, inForceOf, planeOf } from "./context/api-parts.ts";
import { route } from "./context/route.ts";
import { type Check, check, warning } from "./doctor/check.ts";
import {
  findOwnResolvers,
  type OwnResolvers,
  ownResolverChecks,
  serversToAsk,
} from "./doctor/own-resolvers.ts";
import { explanationSources } from "./explain/sources.ts";
import { explainTarget } from "./explain.ts";
import { detoursOf } from "./status.ts";

export interface DoctorReport {
  readonly checks: readonly Check[];
}

export const doctor = route(nothing, (parts) => async () => examineHost(inputOf(parts)));

export interface DoctorInput {
  readonly engine: Pick<Engine, "version" | "firewallDriver">;
  readonly status: StatusReport;
  /** The present one; a container that is there before and after the examination should have been found by it. */
  readonly topology: () => Topology;
  /** Ids of the guarded networks. */
  readonly guarded: ReadonlySet<string>;
  readonly rulesStand: () => Promise<boolean>;
  readonly examine: (asks: readonly AskedServer[]) => Promise<DataPlaneFindings>;
  /** Resolvers that containers name by themselves. */
  readonly ownResolvers: () => Promise<OwnResolvers>;
  /** Rules of other software that write bits of our marks; one sentence each. */
  readonly foreignMarks: () => Promise<readonly string[]>;
  /** Containers whose packets leave by another network than the one whose entries they should have; one sentence each. */
  readonly detours: () => Promise<readonly string[]>;
  /** Files of the host that keep rules and sets of ours for its next boot. */
  readonly savedRules: readonly SavedFinding[];
  /** The name of the switch by which the host forwards nothing of a family; undefined where it forwards. */
  readonly forwardingSwitchedOff: (family: Family) => string | undefined;
}

function inputOf(parts: ApiParts): DoctorInput {
  const { engine, reporter, wall, inventory } = parts;
  const root = engineRoot();
  const guarded = new Set(inForceOf(parts).classification.guarded.map(({ id }) => id));
  const explained = explanationSources(parts);
  return {
    engine,
    status: reporter.status(),
    topology: inventory.current,
    guarded,
    rulesStand: wall.stands,
    foreignMarks: wall.foreignMarks,
    examine: async (asks) => planeOf(parts).examine(asks),
    ownResolvers: () =>
      findOwnResolvers({
        topology: inventory.current(),
        guarded,
        resolvConf: readResolvConf,
        explain: (request) => explainTarget(request, inForceOf(parts), explained),
      }),
    detours: () => detoursOf(parts),
    savedRules: root === undefined ? [] : findSavedRules(root),
    forwardingSwitchedOff,
  };
}

export async function examineHost(input: DoctorInput): Promise<DoctorReport> {
  const before = input.topology();
  const [engine, rules, marks, { findings, own }, detours] = await Promise.all([
    engineCheck(input.engine),
    input.rulesStand().then(
      (stand) =>
        check(
          "rules",
          stand,
          stand ? "the rules of both families are as they should be" : "they differ and are being put right",
        ),
      (error: Error) => check("rules", false, error.message),
    ),
    input
      .foreignMarks()
      .catch((error: Error) => [`the rules of other software cannot be read: ${error.message}`]),
    examineLookups(input),
    input.detours().then(
      (detours) => detours.map((sentence) => warning("way", sentence)),
      (error: Error) => [check("way", false, `which way containers send cannot be read: ${error.message}`)],
    ),
  ]);
  const { status } = input;
  const topology = input.topology();
  const sentences = [...status.problems, ...status.networks.flatMap((network) => network.problems)];
  return {
    checks: [
      engine,
      rules,
      ...findings.resolvers.map(resolverCheck),
      check(
        "capture",
        status.capture.problem === undefined,
        status.capture.problem ?? "every sandbox is watched",
      ),
      ...status.held.map(({ bridge }) =>
        warning(
          `bridge ${bridge}`,
          "no known network of this engine has it; until the engine has been read once more, it passes only answers to the host",
        ),
      ),
      ...findings.sandboxes.map((sandbox) => captureCheck(sandbox, topology)),
      ...ownResolverChecks(own, findings.asked),
      // If nothing can be captured, the report says so above, and the first layer does what it can.
      ...(status.capture.problem === undefined
        ? unexamined(findings, [before, topology], input.guarded)
        : []),
      ...forwardingChecks(input, topology),
      ...marks.map((sentence) => check("marks", false, sentence)),
      ...detours,
      ...input.savedRules.map(({ what, harms, sentence }) =>
        harms ? check(`saved ${what}`, false, sentence) : warning(`saved ${what}`, sentence),
      ),
      ...sentences.map((sentence) => check("configuration", false, sentence)),
      ...status.warnings.map((sentence) => warning("warning", sentence)),
    ],
  };
}

async function examineLookups({
  ownResolvers,
  examine,
}: DoctorInput): Promise<{ readonly findings: DataPlaneFindings; readonly own: OwnResolvers }> {
  const own = await ownResolvers();
  return { findings: await examine(serversToAsk(own)), own };
}

function resolverCheck({ networks, problem }: DataPlaneFindings["resolvers"][number]): Check {
  const subject = networks === undefined ? "upstream" : `upstream of ${networks.join(", ")}`;
  return check(subject, problem === undefined, problem ?? "a resolver answers");
}

/** A proxy may keep from us what the engine says of its firewall: nothing else hangs on it. */
async function engineCheck(engine: DoctorInput["engine"]): Promise<Check> {
  const [answer, driver] = await Promise.all([
    engine.version().catch((error: Error) => error),
    engine.firewallDriver().catch(() => undefined),
  ]);
  if (answer instanceof Error) return check("engine", false, answer.message);
  const rules = driver === undefined ? "" : `, and writes its rules by ${driver.replace("+", " with ")}`;
  return check("engine", true, `Docker ${answer.version} answers${rules}`);
}

/** Only what guarded networks have and would send out: a host without IPv6 containers need not forward it. */
function forwardingChecks(
  { guarded, forwardingSwitchedOff }: DoctorInput,
  { networks }: Topology,
): readonly Check[] {
  const outward = networks.filter(({ id, internal }) => guarded.has(id) && !internal);
  const families = new Set(outward.flatMap(({ subnets }) => subnets.map(({ address }) => familyOf(address))));
  return [...families].flatMap((family) => {
    const name = forwardingSwitchedOff(family);
    if (name === undefined) return [];
    return check(
      "forwarding",
      false,
      `${name} is 0, so nothing that is allowed leaves by it; Docker does not turn it on with its nftables backend: run sysctl -w ${name}=1, and write it to /etc/sysctl.d for the next boot`,
    );
  });
}

function captureCheck(
  { addresses, captured }: DataPlaneFindings["sandboxes"][number],
  topology: Topology,
): Check {
  const container = topology.containers.find(({ endpoints }) =>
    endpoints.some((endpoint) => endpoint.addresses.some((address) => addresses.includes(address))),
  );
  const name = container?.name ?? addresses.join(" ");
  const finding = captured
    ? "a lookup of a denied name inside it is denied by us at Docker's resolver (127.0.0.11)"
    : "a lookup of a denied name inside it is NOT denied by us at Docker's resolver (127.0.0.11); restart the container, and look into the log";
  return check(`capture of ${name}`, captured, finding);
}

/** Running containers of guarded networks in whose sandbox nothing was asked: silence must not pass for health. */
function unexamined(
  { sandboxes }: DataPlaneFindings,
  pictures: readonly Topology[],
  guarded: ReadonlySet<string>,
): Check[] {
  const examined = new Set<string>(sandboxes.flatMap(({ addresses }) => addresses));
  const missing = pictures.map(
    ({ containers }) => new Map(containers.filter(isMissing).map(({ id, name }) => [id, name])),
  );
  const [first = new Map<string, string>(), ...others] = missing;
  return [...first]
    .filter(([id]) => others.every((each) => each.has(id)))
    .map(([, name]) =>
      check(
        `capture of ${name}`,
        false,
        "it runs on a guarded network, but its lookups are NOT captured; restart the container, and look into the log",
      ),
    );

  function isMissing({ running, endpoints }: Container): boolean {
    const its = endpoints.filter(({ networkId }) => guarded.has(networkId));
    return (
      running && its.length > 0 && !its.some(({ addresses }) => addresses.some((each) => examined.has(each)))
    );
  }
}
