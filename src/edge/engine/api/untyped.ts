// Requests that the package makes, and that its types leave out or its methods give no signal.

import type Docker from "dockerode";

interface Telling {
  version(options: { readonly abortSignal: AbortSignal }): Promise<Docker.DockerVersion>;
  info(options: { readonly abortSignal: AbortSignal }): Promise<unknown>;
}

/** The package's types leave out that these take a signal as others do. */
const telling = (docker: Docker): Telling => docker as never;

export function askVersion(docker: Docker, abortSignal: AbortSignal): Promise<Docker.DockerVersion> {
  return telling(docker).version({ abortSignal });
}

export function askInfo(docker: Docker, abortSignal: AbortSignal): Promise<unknown> {
  return telling(docker).info({ abortSignal });
}

/** As the package's own `inspect()` of networks, which takes no signal. */
export function readNetwork(docker: Docker, id: string, abortSignal: AbortSignal): Promise<unknown> {
  const statusCodes = { 200: true, 404: "no such network", 500: "server error" };
  const request = { path: `/networks/${id}`, method: "GET", abortSignal, statusCodes };
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  docker.modem.dial(request, (error: unknown, answer: unknown) =>
    error === null ? resolve(answer) : reject(error),
  );
  return promise;
}
