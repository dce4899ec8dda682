// Reads the daemon's settings: flags first, then the environment. All problems are reported at once, because a daemon in
// a restart loop shows its log one line at a time.

import envVar from "env-var";
import { didYouMean } from "../../../core/model/did-you-mean.ts";
import { DockerwallError, messageOf } from "../../../errors.ts";
import { type Config, type Setting, settings } from "./settings.ts";

export type Environment = Readonly<Record<string, string | undefined>>;
/** Values of the flags that were given, by flag name. */
export type Flags = Readonly<Record<string, string | undefined>>;

/**
 * Reads all settings. A flag overrides the environment; an empty variable counts as unset.
 * @throws DockerwallError BAD_CONFIG with every problem, one line each.
 */
export function readConfig(environment: Environment, flags: Flags): Config {
  const problems = unknownVariables(environment);
  const values = Object.entries(settings).map(([key, setting]) => {
    const read = readSetting<unknown>(setting, environment, flags);
    if ("problem" in read) problems.push(read.problem);
    return [key, "value" in read ? read.value : undefined];
  });
  if (problems.length > 0) throw new DockerwallError("BAD_CONFIG", problems.join("\n"));
  return Object.freeze(Object.fromEntries(values)) as Config;
}

/**
 * The one setting that commands follow which do without a daemon.
 * @throws DockerwallError BAD_CONFIG
 */
export function readSandboxFolder(environment: Environment): Config["sandboxFolder"] {
  const read = readSetting(settings.sandboxFolder, environment, {});
  if ("problem" in read) throw new DockerwallError("BAD_CONFIG", read.problem);
  return read.value;
}

function readSetting<Value>(
  setting: Setting<Value>,
  environment: Environment,
  flags: Flags,
): { readonly value: Value } | { readonly problem: string } {
  const source = locate(setting, environment, flags);
  // env-var's own accessors know neither our ranges nor near misses nor flags, so each setting brings its own check.
  // env-var words a refusal as a sentence about the variable; we keep only the reason.
  const asSetting = (text: string): Value =>
    setting.parse(text, source.isFallback ? undefined : source.place);
  const accessors = envVar.from({ [setting.env]: source.text }, { asSetting });
  try {
    return { value: accessors.get(setting.env).asSetting() as Value };
  } catch (error) {
    const reason = messageOf(error).replace(`env-var: "${setting.env}" `, "");
    return { problem: `${source.place} is ${JSON.stringify(source.text)}, but ${reason}` };
  }
}

interface Source {
  readonly place: string;
  readonly text: string | undefined;
  readonly isFallback: boolean;
}

function locate(setting: Setting<unknown>, environment: Environment, flags: Flags): Source {
  const flag = flags[setting.flag];
  if (flag !== undefined) return { place: `--${setting.flag}`, text: flag, isFallback: false };
  const variable = environment[setting.env];
  if (variable !== undefined && variable !== "")
    return { place: setting.env, text: variable, isFallback: false };
  const dockerHost = environment["DOCKER_HOST"];
  if (setting.flag === settings.dockerSocket.flag && dockerHost !== undefined && dockerHost !== "") {
    return { place: "DOCKER_HOST", text: dockerHost, isFallback: false };
  }
  return { place: setting.env, text: setting.fallback, isFallback: true };
}

/** A mistyped variable must not be ignored: the daemon would run without a setting that the user asked for. */
function unknownVariables(environment: Environment): string[] {
  const known = Object.values(settings).map((setting) => setting.env);
  return Object.keys(environment)
    .filter((name) => name.startsWith("DOCKERWALL_") && !known.includes(name))
    .map((name) => `${name} is not a setting${didYouMean(name, known)}`);
}
