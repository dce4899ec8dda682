// What can happen, by name. Each step takes what it needs by chance; what makes no sense at that moment does nothing.

import { commandSteps } from "./command-steps.ts";
import { hostSteps } from "./host-steps.ts";
import { otherSteps } from "./other-steps.ts";
import { pickOf, type Step } from "./step.ts";

const daemonSteps: Readonly<Record<string, Step>> = {
  "time passes": ({ tick, story }, { random }) => {
    const seconds = pickOf([1, 3, 10, 30, 60], random) ?? 1;
    story.push(`  ${seconds} s`);
    return tick(seconds);
  },
  "the daemon is restarted": (world) => {
    world.kill();
    world.start("all");
  },
  "the daemon is restarted, and containers are read late": (world) => {
    world.kill();
    world.start("some");
  },
  "the daemon is restarted, and the engine does not answer yet": (world) => {
    world.daemon?.tell();
    world.kill();
    world.host.answers = false;
    world.start("all");
  },
  "the daemon ends": (world) => world.stop(),
  "a daemon starts": (world) => world.start("all"),
  "the daemon is killed between two writes": ({ kernel, daemon, story }, { random }) => {
    if (daemon === undefined) return;
    kernel.writesLeft = 1 + random(40);
    story.push(`  after ${kernel.writesLeft}`);
  },
  "the engine goes away": ({ host, daemon }) => {
    daemon?.tell();
    host.answers = false;
    daemon?.loseEngine();
  },
  "the engine is back": ({ host, daemon }) => {
    host.answers = true;
    daemon?.refresh();
  },
  "everything is read again": ({ daemon }) => daemon?.refresh(),
  "everything comes to rest": (world) => world.settle(),
};

export const steps: Readonly<Record<string, Step>> = {
  ...daemonSteps,
  ...hostSteps,
  ...otherSteps,
  ...commandSteps,
};
