// The commands that the README and the pages of docs/ show, and how a reader would type them: a test types all of them on
// an engine, in this order, and another one finds each that is not here.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "./lab/repository.ts";

export interface TypedCommand {
  /** As it stands there; of a row of its table, after `docker exec dockerwall`. */
  readonly shown: string;
  /** With words in place of NETWORK and the like, where it has such. */
  readonly typed?: string;
  readonly exitCode?: number;
  readonly says?: RegExp;
}

const wall = (shown: string, rest: Omit<TypedCommand, "shown"> = {}): TypedCommand => ({
  shown: `docker exec dockerwall ${shown}`,
  ...rest,
  ...(rest.typed === undefined ? {} : { typed: `docker exec dockerwall ${rest.typed}` }),
});

/** In the folder of the example, while it is up. */
export const inExample: readonly TypedCommand[] = [
  { shown: "docker compose exec app curl -sS https://api.github.com/zen" },
  // curl(1), EXIT CODES.
  { shown: "docker compose exec app curl -sS https://www.example.org/", exitCode: 6 },
  { shown: "docker compose exec app curl -sS --max-time 3 https://203.0.113.30/", exitCode: 28 },
  wall("stats", { says: /api\.github\.com +\d+ ✅[\s\S]*tcp:443 +203\.0\.113\.30/ }),
];

/** The project of a reader, in a folder of its name. */
export const project = {
  name: "typed",
  compose: `services:
  web:
    image: client:lab
    command: ["sleep", "infinity"]
    init: true
networks:
  default:
    labels:
      dockerwall.allow: "@debian api.example.com:443"
`,
} as const;
const network = `${project.name}_default`;

/** In the folder of that project. */
export const inProject: readonly TypedCommand[] = [
  { shown: "docker compose down" },
  { shown: "docker compose up -d" },
  wall("help", { says: /^ {2}prepare-network /m }),
  wall("help daemon", { says: /--stats-ttl DURATION/ }),
  wall("status", { says: new RegExp(`^Network: ${network} `, "m") }),
  { shown: 'docker network create --label dockerwall.allow="api.example.com" shared' },
  wall("explain web api.example.com:443", { says: /web-1 → api\.example\.com:443: passes ✅/ }),
  wall("doctor", { says: /capture of typed-web-1: / }),
  wall("presets", { says: /@debian/ }),
  wall("presets [NAME]", { typed: "presets @debian", says: /deb\.debian\.org/ }),
  wall("check '*.example.com' '!tracker.example.com'", { says: /tracker\.example\.com/ }),
  wall("check [COMPOSE_FILE...|ENTRY...]", { typed: "check api.example.com:443" }),
  { shown: 'docker run --rm -v "$PWD:/w" -w /w dockerwall check', says: /api\.example\.com:443/ },
  wall("explain CONTAINER TARGET", { typed: "explain web www.example.org", exitCode: 1 }),
  wall("suggest NETWORK", { typed: `suggest ${network}` }),
  wall('replay NETWORK --allow "…" web="…"', {
    typed: `replay ${network} --allow "@debian" web="api.example.com:443"`,
  }),
  wall("replay NETWORK [CONTAINER=ENTRIES...]", { typed: `replay ${network} web=www.example.org` }),
  wall("COMMAND", { typed: "status --json", says: /"state": ?"enforcing"/ }),
  wall("prepare-network NAME PATTERN...", { typed: "prepare-network prepared api.example.com" }),
  wall("allow NETWORK|CONTAINER ENTRY...", { typed: "allow web www.example.org --for 15m" }),
  wall("deny NETWORK|CONTAINER ENTRY...", { typed: `deny ${network} www.example.org` }),
  wall("quarantine CONTAINER", { typed: "quarantine web" }),
  wall("release CONTAINER", { typed: "release web" }),
  wall("boot-guard", { says: /^\[Unit\]$/m }),
  wall("status --json | jq -r '.problems[], .networks[].problems[]'", { says: /^$/ }),
  {
    shown: "docker compose exec app dig www.example.org",
    typed: "docker compose exec web dig www.example.org",
    says: /EDE: 15/,
  },
  wall("stats --json | jq '.networks[].lookups[] | select(.allowed | not)'", { says: /"www\.example\.org"/ }),
  wall("explain web api.example.com:443 --json | jq -r .verdict", { says: /^passes$/m }),
  wall("allow shop_backend api.example.com:443 --for 15m", {
    typed: `allow ${network} api.example.com:443 --for 15m`,
  }),
  wall("deny shop-worker-1 metrics.example.com", { typed: `deny ${project.name}-web-1 metrics.example.com` }),
  wall("deny shop-worker-1 metrics.example.com --undo", {
    typed: `deny ${project.name}-web-1 metrics.example.com --undo`,
  }),
  wall("suggest shop_backend", { typed: `suggest ${network}` }),
  wall("check '*.example.com' api.github.com:443"),
  { shown: "docker logs dockerwall", says: /"message"/ },
];

/** When its container is gone. */
export const afterwards: readonly TypedCommand[] = [
  { shown: "docker run --rm --privileged --network host --pid host dockerwall uninstall" },
];

/** What the start and the end of the example type, and what the image runs by itself. */
export const typedElsewhere: readonly TypedCommand[] = [
  { shown: "docker compose up -d --wait" },
  wall("uninstall"),
  { shown: "docker compose -f compose.example.yml down" },
  wall("daemon"),
  // The lab's images are built by an engine of their own.
  { shown: "docker compose build" },
  // test/engine/least-privilege.test.ts starts it with these options.
  {
    shown:
      "docker run -d --name dockerwall --network host --pid host --read-only --tmpfs /run --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_RAW --cap-add SYS_ADMIN --cap-add SYS_PTRACE --security-opt no-new-privileges --security-opt apparmor=unconfined --cpu-shares 8192 -v /var/run/docker.sock:/var/run/docker.sock dockerwall",
  },
  // test/engine/boot-unit.test.ts has systemd run the first; test/kernel/boot-guard/boot-guard.test.ts does what the second says.
  wall("boot-guard > /etc/systemd/system/dockerwall-boot-guard.service"),
  wall("boot-guard --sets > /etc/systemd/system/dockerwall-sets.service"),
  { shown: "docker rm -f dockerwall" },
];

/** The commands that call Docker in the blocks of shell of a page, each on one line. */
function commandsInBlocks(page: string): readonly string[] {
  return [...page.matchAll(/^ *```(sh|console)\n([\s\S]*?)^ *```$/gm)].flatMap(([, language, text = ""]) =>
    text
      .replaceAll(/ \\\n */g, " ")
      .split("\n")
      .flatMap((line) => {
        const command = language === "sh" ? line.trim() : /^\$ (.*)$/.exec(line)?.[1];
        return command?.startsWith("docker ") === true ? [command] : [];
      }),
  );
}

/** Those of all pages beside the README, each once. */
export function commandsOfDocs(): readonly string[] {
  const folder = join(repository, "docs");
  const pages = readdirSync(folder).filter((name) => name.endsWith(".md"));
  return [...new Set(pages.flatMap((name) => commandsInBlocks(readFileSync(join(folder, name), "utf8"))))];
}

/** Every command that calls Docker or that the table lists, each once, with the placeholders of the README. */
export function commandsOfReadme(
  readme = readFileSync(join(repository, "README.md"), "utf8"),
): readonly string[] {
  const blocks = commandsInBlocks(readme);
  const inText = [...readme.matchAll(/`(docker (?:exec dockerwall|run|network create) [^`]*)`/g)].map(
    ([, command = ""]) => command.replaceAll(/\s+/g, " "),
  );
  const section = /^## Commands$([\s\S]*?)^## /m.exec(readme)?.[1] ?? "";
  const rows = [...section.matchAll(/^\| `([a-z-]+[^`]*)` \|/gm)].map(
    ([, usage = ""]) => `docker exec dockerwall ${usage.replaceAll("\\|", "|")}`,
  );
  return [...new Set([...blocks, ...inText, ...rows])];
}
