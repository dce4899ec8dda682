// `dockerwall prepare-network`: creates a guarded network in one step, enforced before anything can run on it.

import { ask } from "../ask.ts";
import { type Command, jsonOption } from "../command.ts";
import { printable, renderJson } from "../terminal/print.ts";

export const command: Command = {
  operands: "NAME PATTERN...",
  summary: "Create a bridge network whose containers reach only what the patterns allow.",
  details: [
    "The command returns when the rules are in the kernel. Use the network with docker run --network NAME.",
    "PATTERN is HOST[:PORT[-PORT]][/tcp|/udp]; HOST is a domain, *.DOMAIN (the domain and all names below it), an address or a prefix. Put '*.example.com' in quotes, or the shell may expand it.",
  ].join("\n"),
  options: { json: jsonOption },
  run: async ({ options, operands, environment, output }) => {
    const [name = "", ...patterns] = operands;
    const network = await ask(environment, "prepareNetwork", { name, patterns });
    output.write(
      "json" in options
        ? renderJson(network)
        : `Network: ${printable(network.name)} (${network.subnets.map(printable).join(", ")}) enforced\n`,
    );
    return 0;
  },
};
