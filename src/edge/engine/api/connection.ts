// How the engine is reached: behind which socket, and by which version of its API.

import type Docker from "dockerode";
import { parseApiVersion } from "./answers.ts";
import { codeOf, engineError, statusOf } from "./errors.ts";
import { DockerClient } from "./package.ts";
import { askVersion } from "./untyped.ts";
import { agreeOnVersion, isVersionRefused } from "./version.ts";

/** To be given up when the signal says so. */
export type Request<T> = (docker: Docker, abortSignal: AbortSignal) => Promise<T>;

export interface EngineConnectionOptions {
  readonly socketPath: string;
  /** Where an engine that was started anew may have its new socket; undefined where there is none. */
  readonly findSocket: () => string | undefined;
  /** How long an answer may take that is asked for without a signal. */
  readonly answerWithinMs: number;
}

export class EngineConnection {
  readonly #options: EngineConnectionOptions;
  #place: string;
  /** Stands until an engine refuses it: one that was started anew may be another one. */
  #version: Promise<string> | undefined;

  constructor(options: EngineConnectionOptions) {
    this.#options = options;
    this.#place = options.socketPath;
  }

  /** @param what as in "the engine refused to …" @throws DockerwallError ENGINE_UNREACHABLE, ENGINE_REFUSED and others */
  async call<T>(what: string, request: Request<T>, signal?: AbortSignal): Promise<T> {
    try {
      const docker = await this.#connect();
      return await request(docker, signal ?? this.#inTime());
    } catch (error) {
      this.#reconnect(error);
      throw engineError(what, this.#options.socketPath, error);
    }
  }

  /** Undefined for what is not there; a version that cannot be agreed on says nothing about that. */
  find<T>(what: string, request: Request<T>, signal?: AbortSignal): Promise<T | undefined> {
    const orNone: Request<T | undefined> = async (docker, abortSignal) => {
      try {
        return await request(docker, abortSignal);
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    };
    return this.call(what, orNone, signal);
  }

  async #connect(): Promise<Docker> {
    this.#version ??= agreeOnVersion(async (version) =>
      parseApiVersion(await askVersion(this.#speaking(version), this.#inTime())),
    );
    try {
      return this.#speaking(await this.#version);
    } catch (error) {
      this.#version = undefined;
      throw error;
    }
  }

  /** Looks for the engine elsewhere when nobody is behind the socket, and for another version when it refuses that. */
  #reconnect(error: unknown): void {
    const { socketPath, findSocket } = this.#options;
    if (isVersionRefused(error)) this.#version = undefined;
    const code = codeOf(error);
    if (code !== "ECONNREFUSED" && code !== "ENOENT") return;
    this.#place = findSocket() ?? socketPath;
  }

  #speaking(version: string): Docker {
    return new DockerClient({ socketPath: this.#place, version: `v${version}` });
  }

  #inTime(): AbortSignal {
    return AbortSignal.timeout(this.#options.answerWithinMs);
  }
}
