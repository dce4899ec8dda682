// `prepare-network`: has the engine create a labelled bridge network, and returns it only once it is enforced.

import { fields, text, texts } from "../../core/api/request-checks.ts";
import { allowLabel } from "../../core/labels/table.ts";
import { renderPrefix } from "../../core/model/address.ts";
import { requireEntries } from "../../core/policy/allowlist.ts";
import { DockerwallError, messageOf, problemsOf } from "../../errors.ts";
import { untilEnforced } from "../enforcement/until-enforced.ts";
import { route } from "./context/route.ts";

/** What `prepare-network` created. */
interface PreparedNetwork {
  readonly id: string;
  readonly name: string;
  readonly bridge: string;
  readonly subnets: readonly string[];
}

/** @throws DockerwallError BAD_ENTRY, USAGE, NETWORK_EXISTS, ENGINE_REFUSED, NOT_ENFORCED */
export const prepareNetwork = route(
  fields({ name: text, patterns: texts }),
  (parts) =>
    async (request): Promise<PreparedNetwork> => {
      const { engine, policies, reporter } = parts;
      const { name, patterns } = request;
      // moby: daemon/names, RestrictedNameChars
      if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) {
        throw new DockerwallError(
          "USAGE",
          `${JSON.stringify(name)} is not a network name; use letters and digits, and after the first also . _ -`,
        );
      }
      const label = patterns.join(" ");
      requireEntries(label, policies.presets(), `network ${JSON.stringify(name)}`);
      // The engine also accepts the beginning of an id as a name.
      if ((await engine.inspectNetwork(name))?.name === name) {
        throw new DockerwallError(
          "NETWORK_EXISTS",
          `network ${JSON.stringify(name)} already exists, and its labels cannot be changed; remove it with \`docker network rm ${name}\` first, or choose another name`,
        );
      }
      const id = await engine.createBridgeNetwork(name, { [allowLabel]: label });
      try {
        await untilEnforced(id, reporter);
      } catch (error) {
        const [problem] = await problemsOf(() => engine.removeNetwork(id));
        throw problem === undefined ? error : leftBehind(error, { name, problem });
      }
      const network = await engine.inspectNetwork(id);
      if (network?.bridge === undefined) {
        throw new DockerwallError(
          "NOT_ENFORCED",
          `network ${JSON.stringify(name)} was removed while it was being prepared; run the command again`,
        );
      }
      return { id, name, bridge: network.bridge, subnets: network.subnets.map(renderPrefix) };
    },
);

/** What kept a network from being enforced is what is to be mended, also where it could not be removed again. */
function leftBehind(
  error: unknown,
  { name, problem }: { readonly name: string; readonly problem: string },
): DockerwallError {
  return new DockerwallError(
    error instanceof DockerwallError ? error.code : "INTERNAL",
    `${messageOf(error)}; the network is left, as it could not be removed (${problem}): remove it with \`docker network rm ${name}\``,
    { cause: error },
  );
}
