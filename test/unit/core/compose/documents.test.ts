import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ReadText, readDocuments } from "../../../../src/core/compose/documents.ts";
import { readEnvFiles } from "../../../../src/core/compose/env-file.ts";
import { textAt } from "../../../../src/core/compose/tree.ts";

const files: Readonly<Record<string, string>> = {
  "two.yml": "services: {web: {image: $IMAGE}}\n---\n- no map\n",
  "bad.yml": "services: [\n",
  ".env": "IMAGE=one\nA=first\n",
  "more.env": "A=second\nB=$A-$IMAGE\n",
};
const read: ReadText = (path) => {
  if (path === "secret.env") return { problem: "it cannot be read" };
  const text = files[path];
  return text === undefined ? undefined : { text };
};

describe("a file's documents", () => {
  it("are those that are maps, with their variables filled in", () => {
    const { trees, problems } = readDocuments(read, "two.yml", () => "nginx");
    assert.deepEqual(
      trees.map((tree) => textAt(tree, "services", "web", "image")?.text),
      ["nginx"],
    );
    assert.deepEqual(
      problems.map(({ place, text }) => `${place.line} ${text}`),
      ["3 it must be a map of services, networks and so on"],
    );
  });

  it("are none where there is no file, which is a problem where it was named", () => {
    const from = { file: "compose.yml", line: 7 };
    assert.deepEqual(
      readDocuments(read, "none.yml", () => undefined, from),
      {
        trees: [],
        problems: [{ place: from, text: "none.yml: there is no such file" }],
        isRead: false,
      },
    );
    assert.deepEqual(readDocuments(read, "bad.yml", () => undefined).trees, []);
  });
});

describe("several files of variables", () => {
  it("say what no earlier one and no environment says", () => {
    const { lookup, problems } = readEnvFiles(read, [".env", "none.env", "secret.env", "more.env"], (name) =>
      name === "IMAGE" ? "given" : undefined,
    );
    assert.deepEqual(["IMAGE", "A", "B", "C"].map(lookup), ["given", "first", "first-given", undefined]);
    assert.deepEqual(
      problems.map(({ place, text }) => `${place.file} ${text}`),
      ["secret.env it cannot be read"],
    );
  });
});
