// What goes by the host's addresses is judged anew as soon as they are others, and nothing else.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hostPrefix, type IpAddress } from "../../../../src/core/model/address.ts";
import {
  followHostAddresses,
  gatherHostAddresses,
  gatherMs,
  HostAddresses,
} from "../../../../src/data/worker/host-addresses.ts";
import { SandboxRegister } from "../../../../src/edge/sandbox/register.ts";
import type { Sandbox } from "../../../../src/edge/sandbox/sandbox.ts";

const [first, second] = ["192.0.2.1", "192.0.2.2"] as [IpAddress, IpAddress];
const linkLocal = "fe80::1" as IpAddress;

const onFailure = (error: unknown): void => assert.fail(String(error));

/** A host with these addresses, and who goes by them. */
function setUp(addresses: readonly IpAddress[]) {
  const host = { addresses, readings: 0 };
  const hostAddresses = new HostAddresses(() => {
    host.readings++;
    return host.addresses;
  });
  const heard: string[] = [];
  const users = {
    hostAddresses,
    answerer: {
      useHostAddresses: () => void heard.push("circles"),
      reconsider: () => void heard.push("lookups"),
    },
    sandboxLayer: {
      useHostAddresses: (changed: ReadonlySet<IpAddress>) =>
        void heard.push(`sandboxes with ${[...changed].join()}`),
    },
  };
  return { host, hostAddresses, heard, users };
}

describe("the host's addresses", () => {
  it("are told of when they are others, and then only", () => {
    const { host, hostAddresses, heard, users } = setUp([first]);
    followHostAddresses(users);
    assert.deepEqual(heard, []);
    for (const [others, changed] of [
      [
        [first, second, linkLocal],
        [second, linkLocal],
      ],
      [[second], [first, linkLocal]],
      [[], [second]],
    ] as const) {
      host.addresses = others;
      followHostAddresses(users);
      assert.deepEqual(heard.splice(0), ["circles", `sandboxes with ${changed.join()}`, "lookups"]);
      assert.deepEqual(hostAddresses.beyondLink, others.filter((each) => each !== linkLocal).map(hostPrefix));
    }
    followHostAddresses({ ...users, sandboxLayer: undefined });
    assert.deepEqual(heard, []);
  });

  it("concern nobody but sandboxes where they are link-local", () => {
    const { host, hostAddresses, heard, users } = setUp([first]);
    const { beyondLink } = hostAddresses;
    for (const addresses of [[first, linkLocal], [first]]) {
      host.addresses = addresses;
      followHostAddresses(users);
      assert.deepEqual(heard.splice(0), [`sandboxes with ${linkLocal}`]);
      assert.equal(hostAddresses.has(linkLocal), addresses.includes(linkLocal));
      assert.equal(hostAddresses.beyondLink, beyondLink, "what was answered before is answered still");
    }
  });

  it("are read once for all changes within a while, also after that has failed", () => {
    const { host, heard, users } = setUp([first]);
    const timers: (() => void)[] = [];
    const after = (ms: number, work: () => void): void => {
      assert.equal(ms, gatherMs);
      timers.push(work);
    };
    const onChange = gatherHostAddresses(users, { after, onFailure });
    const { answerer } = users;
    const failing = { ...answerer, useHostAddresses: assert.fail };
    const onChangeFailing = gatherHostAddresses({ ...users, answerer: failing }, { after, onFailure });
    for (const change of [onChangeFailing, onChange]) {
      host.readings = 0;
      host.addresses = [...host.addresses, `192.0.2.${host.addresses.length + 10}` as IpAddress];
      for (let round = 0; round < 5; round++) change();
      assert.deepEqual([timers.length, host.readings, heard], [1, 0, []]);
      const work = timers.pop() ?? assert.fail();
      if (change === onChangeFailing) assert.throws(work);
      else work();
      assert.equal(host.readings, 1);
      change();
      assert.equal(timers.splice(0).length, 1);
    }
    assert.deepEqual(heard, ["circles", "sandboxes with 192.0.2.12", "lookups"]);
  });
});

describe("a burst of 500 container starts", () => {
  it("has the host's addresses read ten times a second at most, and nothing judged by them", () => {
    const { host, heard, users } = setUp([first]);
    const register = new SandboxRegister({
      lacking: () => [],
      isMet: () => true,
      onLate: () => undefined,
      onChange: () => undefined,
    });
    const judged: Sandbox[] = [];
    const sandboxLayer = {
      useHostAddresses: (changed: ReadonlySet<IpAddress>) => void judged.push(...register.with(changed)),
    };
    let nowMs = 0;
    let due: { readonly atMs: number; readonly work: () => void } | undefined;
    const after = (ms: number, work: () => void): void => {
      due = { atMs: nowMs + ms, work };
    };
    const onChange = gatherHostAddresses({ ...users, sandboxLayer }, { after, onFailure });
    const pass = (ms: number): void => {
      nowMs += ms;
      if (due === undefined || due.atMs > nowMs) return;
      const { work } = due;
      due = undefined;
      work();
    };
    host.readings = 0;
    for (let at = 0; at < 500; at++) {
      register.add(sandboxWith(`box-${at}`, `192.0.2.${at}`, `fe80::2:${at.toString(16)}`));
      host.addresses = [...host.addresses, `fe80::1:${at.toString(16)}` as IpAddress];
      // It comes, is looked for on the link, and is free.
      for (let told = 0; told < 3; told++) onChange();
      pass(10);
    }
    pass(gatherMs);
    assert.ok(host.readings > 0 && host.readings <= nowMs / gatherMs, `${host.readings} in ${nowMs} ms`);
    assert.deepEqual([judged, heard], [[], []]);
    // Of one that the host gets or loses, and that a container has, that container is judged, and no other.
    for (const address of ["fe80::2:7", "192.0.2.8"] as IpAddress[]) {
      for (const addresses of [[...host.addresses, address], host.addresses]) {
        host.addresses = addresses;
        onChange();
        pass(gatherMs);
      }
    }
    assert.deepEqual(
      judged.map(({ name }) => name),
      ["box-7", "box-7", "box-8", "box-8"],
    );
  });
});

function sandboxWith(name: string, address: string, linkLocalOne: string): Sandbox {
  const on = (each: string) => ({ address: each as IpAddress, index: 2 });
  return { name, found: { addresses: [on(address)], linkLocal: [on(linkLocalOne)] } } as unknown as Sandbox;
}
