// Where the CLI finds the daemon. Separate from config.ts, which is too heavy for a command that only asks.

export const defaultControlSocket = "/run/dockerwall/control.sock";

/** Path of the control socket, from DOCKERWALL_CONTROL_SOCKET or the default. */
export function controlSocketOf(environment: Readonly<Record<string, string | undefined>>): string {
  return environment["DOCKERWALL_CONTROL_SOCKET"] || defaultControlSocket;
}
