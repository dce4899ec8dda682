// A project is what Compose would make of its files; what cannot be followed is a problem, with its line.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadProject } from "../../../../src/core/compose/load.ts";
import { type Project, readProject } from "../../../../src/core/compose/project.ts";

interface Loaded {
  readonly project: Project;
  readonly problems: readonly string[];
}

/** The files of a folder by their names; those that are not named are found by include, extends, or as `.env`. */
function load(
  files: Readonly<Record<string, string>>,
  named: readonly string[] = ["compose.yml"],
  environment: Readonly<Record<string, string>> = {},
): Loaded {
  const { tree, problems } = loadProject({
    files: named,
    read: (path) => (Object.hasOwn(files, path) ? { text: files[path] ?? "" } : undefined),
    environment: (name) => environment[name],
  });
  const project = readProject(tree);
  const told = [...problems, ...project.problems];
  return { project, problems: told.map(({ place, text }) => `${place.file}:${place.line}: ${text}`) };
}

type Labels = Record<string, string>;

/** `VALUE @ FILE:LINE` by network or service and label. */
function labelsOf({ project }: Loaded): Record<string, Labels> {
  const all = [
    ...project.networks.map(({ key, labels }) => [key, labels] as const),
    ...project.services.map(({ name, labels }) => [name, labels] as const),
  ];
  const texts = all.map(([name, labels]) => [
    name,
    Object.fromEntries(
      labels.map(({ name: label, value, place }) => [label, `${value} @ ${place.file}:${place.line}`]),
    ),
  ]);
  return Object.fromEntries(texts);
}

describe("a Compose file", () => {
  it("has labels as maps and as lists", () => {
    const loaded = load({
      "compose.yml": `
services:
  web:
    labels:
      - dockerwall.allow=a.example.com
      - "other=x=y"
      - bare
networks:
  app:
    labels: { dockerwall.allow: b.example.com, dockerwall.mode: , number: 1.50 }
`,
    });
    assert.deepEqual(labelsOf(loaded), {
      app: {
        "dockerwall.allow": "b.example.com @ compose.yml:10",
        "dockerwall.mode": " @ compose.yml:10",
        number: "1.50 @ compose.yml:10",
      },
      web: {
        "dockerwall.allow": "a.example.com @ compose.yml:5",
        other: "x=y @ compose.yml:6",
        bare: " @ compose.yml:7",
      },
      default: {},
    });
    assert.deepEqual(loaded.problems, []);
  });

  it("has anchors, and merge keys that what is written wins over", () => {
    const loaded = load({
      "compose.yml": `
x-labels: &guarded
  dockerwall.allow: a.example.com
  dockerwall.mode: audit
x-more: &more { dockerwall.deny: reject, dockerwall.mode: enforce }
networks:
  one: { labels: *guarded }
  two:
    labels:
      dockerwall.allow: b.example.com
      <<: [*guarded, *more]
`,
    });
    assert.deepEqual(labelsOf(loaded), {
      one: {
        "dockerwall.allow": "a.example.com @ compose.yml:3",
        "dockerwall.mode": "audit @ compose.yml:4",
      },
      two: {
        "dockerwall.allow": "b.example.com @ compose.yml:10",
        "dockerwall.mode": "audit @ compose.yml:4",
        "dockerwall.deny": "reject @ compose.yml:5",
      },
    });
  });

  const broken: readonly [name: string, text: string, problem: RegExp][] = [
    ["a key twice", "networks:\n  app:\n  app:\n", /^compose.yml:3: Map keys must be unique$/],
    [
      "a wildcard without quotes",
      "networks:\n  a:\n    labels:\n      x: *.example.com\n",
      /^compose.yml:4: .*need quotes$/,
    ],
    ["a preset without quotes", "networks: {a: {labels: {x: @npm}}}", /^compose.yml:1: .*need quotes$/],
    [
      "a `!` without quotes",
      "networks:\n  a: {labels: {x: !b.example.com }}",
      /^compose.yml:2: .*need quotes$/,
    ],
    ["no map", "- a\n", /^compose.yml:1: it must be a map/],
    [
      "an anchor within itself",
      "networks: &a\n  x: *a\n",
      /^compose.yml:2: an anchor contains an alias of itself$/,
    ],
    ["a merge key of a text", "networks:\n  <<: text\n", /^compose.yml:2: `<<` takes a map/],
    [
      "labels that are no labels",
      "networks:\n  a:\n    labels: text\n",
      /^compose.yml:3: network "a": labels must be/,
    ],
    [
      "a label that is a list",
      "networks:\n  a:\n    labels:\n      x: [1]\n",
      /^compose.yml:4: .*must be text, not a list$/,
    ],
    [
      "an unknown network",
      "services:\n  w: {networks: [bakc]}\nnetworks: {back: }",
      /^compose.yml:2: .*nothing defines; did you mean back\?$/,
    ],
    [
      "an unknown service",
      "services:\n  w: {network_mode: 'service:vnp'}\n  vpn: {}",
      /^compose.yml:2: .*did you mean vpn\?$/,
    ],
    [
      "networks and a mode",
      "services:\n  w: {network_mode: host, networks: [default]}",
      /^compose.yml:2: .*takes one of the two$/,
    ],
    [
      "labels in a file",
      "services:\n  w: {label_file: x.env}",
      /^compose.yml:2: .*label_file is not followed/,
    ],
    [
      "a variable that must be set",
      "networks:\n  a: {labels: {x: '${V:?v}'}}",
      /^compose.yml:2: network "a", label x: the variable V must be set: v$/,
    ],
  ];
  for (const [name, text, problem] of broken)
    it(`with ${name} is a problem`, () => {
      const { problems } = load({ "compose.yml": text });
      assert.match(problems[0] ?? "", problem);
      assert.equal(problems.length, 1, problems.join("\n"));
    });

  it("is refused when its aliases stand for too much", () => {
    const bomb = Array.from({ length: 12 }, (_, level) => {
      const alias = level === 0 ? "x" : `*a${level - 1}`;
      return `k${level}: &a${level} [${Array(9).fill(alias).join(",")}]`;
    });
    assert.match(load({ "compose.yml": bomb.join("\n") }).problems.join(), /stand for more than/);
  });

  it("makes the default network for services that name none", () => {
    const { project } = load({
      "compose.yml": "services: {a: {}, b: {network_mode: none}, c: {networks: {d: }}}\nnetworks: {d: }",
    });
    assert.deepEqual(
      project.services.map(({ networks }) => networks),
      [["default"], [], ["d"]],
    );
    assert.deepEqual(
      project.networks.map(({ key }) => key),
      ["d", "default"],
    );
  });
});

describe("variables", () => {
  const text = "networks:\n  app: {labels: {dockerwall.allow: '${ALLOW:-none.example.com} $$X'}}\n";
  const allow = (files: Record<string, string>, environment?: Record<string, string>): string | undefined =>
    labelsOf(load({ "compose.yml": text, ...files }, undefined, environment))["app"]?.["dockerwall.allow"];
  it("come from .env, and the environment wins", () => {
    assert.equal(allow({}), "none.example.com $X @ compose.yml:2");
    assert.equal(allow({ ".env": 'ALLOW="a.example.com" # all\n' }), "a.example.com $X @ compose.yml:2");
    assert.equal(
      allow({ ".env": "ALLOW=a.example.com" }, { ALLOW: "b.example.com" }),
      "b.example.com $X @ compose.yml:2",
    );
  });
  it("come from the .env beside the first file", () => {
    const loaded = load({ "p/compose.yml": text, "p/.env": "ALLOW=p", ".env": "ALLOW=q" }, ["p/compose.yml"]);
    assert.equal(labelsOf(loaded)["app"]?.["dockerwall.allow"], "p $X @ p/compose.yml:2");
  });
});

describe("several files", () => {
  it("merge labels by name, whatever their form", () => {
    const loaded = load(
      {
        "compose.yml":
          "networks:\n  app:\n    labels:\n      - dockerwall.allow=a.example.com\n      - dockerwall.mode=audit\nservices:\n  web:\n    networks: [app]\n    labels: {x: '1'}\n",
        "prod.yml":
          "networks:\n  app:\n    labels:\n      dockerwall.mode: enforce\n  back:\nservices:\n  web:\n    networks: {back: {aliases: [w]}}\n    labels: [x=2, y]\n",
      },
      ["./compose.yml", "prod.yml"],
    );
    assert.deepEqual(labelsOf(loaded), {
      app: { "dockerwall.allow": "a.example.com @ compose.yml:4", "dockerwall.mode": "enforce @ prod.yml:4" },
      back: {},
      web: { x: "2 @ prod.yml:9", y: " @ prod.yml:9" },
    });
    assert.deepEqual(loaded.project.services[0]?.networks, ["app", "back"]);
  });
  it("take back and replace with !reset and !override", () => {
    const loaded = load(
      {
        "compose.yml": "networks:\n  app: {labels: {a: '1', b: '2'}}\n  back: {labels: {a: '1'}}\n",
        "over.yml": "networks:\n  app: {labels: !override {c: '3'}}\n  back: {labels: {a: !reset }}\n",
      },
      ["compose.yml", "over.yml"],
    );
    assert.deepEqual(labelsOf(loaded), { app: { c: "3 @ over.yml:2" }, back: {} });
    assert.deepEqual(loaded.problems, []);
  });
  it("may stand in one, as documents", () => {
    const loaded = load({
      "compose.yml": "networks: {app: {labels: {a: '1'}}}\n---\nnetworks: {app: {labels: {a: '2'}}}\n",
    });
    assert.deepEqual(labelsOf(loaded), { app: { a: "2 @ compose.yml:3" } });
  });
});

describe("extends", () => {
  const base = "services:\n  base:\n    labels: {a: base, b: base}\n    networks: [app]\n";
  it("is followed in the root folder", () => {
    const loaded = load({
      "compose.yml": "services:\n  web: {extends: {service: mid, file: /common.yml}}\n",
      "/common.yml": "services:\n  mid: {extends: {service: root, file: root.yml}}\n",
      "/root.yml": "services:\n  root: {labels: {z: root}, network_mode: none}\n",
    });
    assert.deepEqual(loaded.problems, []);
    assert.deepEqual(labelsOf(loaded)["web"], { z: "root @ /root.yml:2" });
  });

  it("is followed, within the file and into others, over several steps", () => {
    const loaded = load({
      "compose.yml": `${base}  mid: {extends: base, labels: [b=mid]}\n  web: {extends: {service: mid}, labels: {c: web}}\n  far: {extends: {service: remote, file: lib/common.yml}}\nnetworks: {app: }\n`,
      "lib/common.yml":
        "services:\n  remote: {extends: {service: root, file: root.yml}, labels: {a: remote}}\n",
      "lib/root.yml": "services:\n  root: {labels: {z: root}, network_mode: none}\n",
    });
    assert.deepEqual(loaded.problems, []);
    const labels = labelsOf(loaded);
    assert.deepEqual(labels["web"], {
      a: "base @ compose.yml:3",
      b: "mid @ compose.yml:5",
      c: "web @ compose.yml:6",
    });
    assert.deepEqual(labels["far"], { z: "root @ lib/root.yml:2", a: "remote @ lib/common.yml:2" });
    assert.deepEqual(loaded.project.services.find(({ name }) => name === "web")?.networks, ["app"]);
  });
  const refused: readonly [name: string, value: string, problem: RegExp][] = [
    ["a circle", "web", /^compose.yml:6: service "web" extends itself$/m],
    ["a longer circle", "other", /extends itself$/],
    [
      "a service that is not there",
      "bse",
      /extends "bse", which compose.yml does not define; did you mean base\?$/,
    ],
    [
      "a file that is not there",
      "{service: x, file: no.yml}",
      /^compose.yml:6: no.yml: there is no such file$/,
    ],
    ["what is elsewhere", "{service: x, file: 'https://example.com/x.yml'}", /is not followed/],
  ];
  for (const [name, value, problem] of refused)
    it(`of ${name} is a problem`, () => {
      const text = `${base}  other: {extends: web}\n  web: {extends: ${value}}\nnetworks: {app: }`;
      assert.match(load({ "compose.yml": text }).problems.join("\n"), problem);
    });
});

describe("include", () => {
  it("is followed, with the .env and the folder of the included file", () => {
    const loaded = load({
      "compose.yml":
        "include:\n  - db/db.yml\n  - path: [log/log.yml, log/over.yml]\n    env_file: log.env\nnetworks: {app: }\n",
      ".env": "WHO=outer\n",
      "db/db.yml": "include: [sub.yml]\nnetworks: {db: {labels: {a: '$WHO $INNER'}}}\n",
      "db/.env": "WHO=inner\nINNER=inner\n",
      "db/sub.yml": "networks: {sub: {labels: {a: x}}}\n",
      "log/log.yml": "networks: {log: {labels: {a: '1', b: '$LOG'}}}\n",
      "log/over.yml": "networks: {log: {labels: {a: '2'}}}\n",
      "log.env": "LOG=on\n",
    });
    assert.deepEqual(loaded.problems, []);
    const labels = labelsOf(loaded);
    assert.deepEqual(labels["db"], { a: "outer inner @ db/db.yml:2" });
    assert.deepEqual(labels["sub"], { a: "x @ db/sub.yml:1" });
    assert.deepEqual(labels["log"], { a: "2 @ log/over.yml:1", b: "on @ log/log.yml:1" });
  });
  const refused: readonly [name: string, files: Record<string, string>, problem: RegExp][] = [
    [
      "what is elsewhere",
      { "compose.yml": "include: ['https://github.com/x/y.git']" },
      /is not followed, as it is not a file here/,
    ],
    [
      "a file that is not there",
      { "compose.yml": "include: [no.yml]" },
      /^compose.yml:1: include: there is no file no.yml$/,
    ],
    [
      "itself",
      { "compose.yml": "include: [a.yml]", "a.yml": "include: [compose.yml]" },
      /^a.yml:1: include: compose.yml includes itself$/,
    ],
    [
      "a network that is there already",
      { "compose.yml": "include: [a.yml]\nnetworks: {n: }", "a.yml": "networks: {n: }" },
      /^compose.yml:2: networks.n stands in a.yml/,
    ],
  ];
  for (const [name, files, problem] of refused)
    it(`of ${name} is a problem`, () => assert.match(load(files).problems.join("\n"), problem));
});
