import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findContainer, findNamedNetwork } from "../../../../../src/control/api/context/find-container.ts";
import type { Container } from "../../../../../src/core/model/topology.ts";
import { DockerwallError } from "../../../../../src/errors.ts";
import { newContainer } from "../../../../support/topologies.ts";

const named = (id: string, name: string): Container => ({
  ...newContainer(id.padEnd(64, "0"), "n1"),
  name,
});

const composed = (project: string, service: string, id: string, running = true): Container => ({
  ...named(id, `${project}-${service}-${id.slice(-1)}`),
  running,
  labels: { "com.docker.compose.project": project, "com.docker.compose.service": service },
});

const containers: readonly Container[] = [
  composed("shop", "web", "aaaa1"),
  composed("shop", "db", "bbbb1"),
  composed("blog", "db", "cccc1"),
  composed("shop", "worker", "dddd1"),
  composed("shop", "worker", "dddd2"),
  composed("shop", "job", "eeee1", false),
  composed("shop", "job", "ffff2"),
  named("1234", "cache"),
  named("5678", "worker-old"),
];
const topology = { networks: [], containers };

/** The name of what is found, or the message. */
function found(work: () => { readonly name: string } | undefined): string {
  try {
    return work()?.name ?? "nothing";
  } catch (error) {
    assert.ok(error instanceof DockerwallError && error.code === "NOT_FOUND");
    return error.message;
  }
}

describe("a container is found", () => {
  const cases: readonly (readonly [given: string, says: string])[] = [
    ["shop-web-1", "shop-web-1"],
    ["web", "shop-web-1"],
    ["shop/web", "shop-web-1"],
    ["aaaa1", "shop-web-1"],
    ["aaaa".padEnd(64, "0"), "there is no container"],
    ["cache", "cache"],
    ["1234", "cache"],
    ["123", 'there is no container "123"; see docker ps for names and ids'],
    ["shop/db", "shop-db-1"],
    ["db", '"db" fits 2 containers; name one of them: blog-db-1, shop-db-1'],
    ["worker", '"worker" fits 2 containers; name one of them: shop-worker-1, shop-worker-2'],
    ["dddd", '"dddd" fits 2 containers; name one of them: shop-worker-1, shop-worker-2'],
    ["job", "shop-job-2"],
    ["chache", 'there is no container "chache"; did you mean cache?'],
    ["wob", 'there is no container "wob"; did you mean web?'],
    ["blog/web", 'there is no container "blog/web"; see docker ps for names and ids'],
    ["", 'there is no container ""; see docker ps for names and ids'],
  ];
  for (const [given, says] of cases)
    it(`by ${JSON.stringify(given)}`, () => {
      const actual = found(() => findContainer(topology, given));
      assert.ok(
        actual === says || (says.startsWith("there is no container") && actual.startsWith(says)),
        actual,
      );
    });
});

describe("a network is found", () => {
  const network = (project: string, key: string, id: string) => ({
    id,
    name: `${project}_${key}`,
    labels: { "com.docker.compose.project": project, "com.docker.compose.network": key },
  });
  const networks = [
    network("shop", "app", "aaaa1"),
    network("shop", "default", "bbbb1"),
    network("blog", "default", "cccc1"),
  ];
  const cases: readonly (readonly [given: string, says: string])[] = [
    ["shop_app", "shop_app"],
    ["app", "shop_app"],
    ["blog/default", "blog_default"],
    ["cccc", "blog_default"],
    ["default", '"default" fits 2 networks; name one of them: blog_default, shop_default'],
    ["ap", "nothing"],
  ];
  for (const [given, says] of cases)
    it(`by ${given}`, () =>
      assert.equal(
        found(() => findNamedNetwork(networks, given)),
        says,
      ));
});
