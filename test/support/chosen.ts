// What a run of the engine tests takes, chosen by environment: DOCKERWALL_ENGINES="e20 e28l" takes these engines only,
// DOCKERWALL_LONG=1 the long form, whose figures are in docs/measurements.md.

/** The long form: more rounds, and promised times without allowance for a busy machine. */
export const long = process.env["DOCKERWALL_LONG"] === "1";

/** Every engine that some test has: a name that none has is a slip, and would pass for a run without a failure. */
const known: readonly string[] = ["e20", "e20l", "e26", "e26l", "e28", "e28l", "e28d"];

/** Every generation, by nft as most hosts have it, and one of them by iptables-legacy. */
export const bothBackends = [
  { kind: "e20", name: "e20" },
  { kind: "e26", name: "e26" },
  { kind: "e28", name: "e28" },
  { kind: "e28", name: "e28l", iptables: "legacy" },
] as const;

/**
 * Those of the engines that this run is for; all when nothing was chosen.
 * @throws Error when an engine is chosen that no test has
 */
export function chosen<T extends string | { readonly kind: string; readonly name?: string }>(
  engines: readonly T[],
  variable = "DOCKERWALL_ENGINES",
): readonly T[] {
  const wanted = process.env[variable]?.split(/[ ,]+/).filter((name) => name !== "");
  const nameOf = (engine: T): string => (typeof engine === "string" ? engine : (engine.name ?? engine.kind));
  const strange = [...engines.map(nameOf), ...(wanted ?? [])].filter((name) => !known.includes(name));
  if (strange.length > 0 || wanted?.length === 0)
    throw new Error(`${variable}: no engine "${strange.join(" ")}"; there are ${known.join(", ")}`);
  return engines.filter((engine) => wanted?.includes(nameOf(engine)) ?? true);
}

/** Prints one row of figures. */
export function printRow(...cells: readonly string[]): void {
  console.log(`# | ${cells.join(" | ")} |`);
}
