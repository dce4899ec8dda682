// From answers of the Engine API to our model. Each parser returns a list of none or one, so that callers can flatten.

import { forgesNothing, type HostSettings, hazardsOf } from "../../../core/classify/hazards.ts";
import { type IpAddress, parseAddress, parsePrefix } from "../../../core/model/address.ts";
import {
  type Container,
  type Endpoint,
  type Link,
  type Network,
  shortId,
} from "../../../core/model/topology.ts";
import { type Json, listOf, objectOf, textOf, textsOf } from "./json.ts";
import { hostPortsOf, portsOf, publishedOf, publishesOf } from "./ports.ts";

/** The newest version of the API, in the answer of `GET /version`; undefined where it says none. */
export function parseApiVersion(answer: unknown): string | undefined {
  return /^\d+\.\d+$/.exec(textOf(objectOf(answer)["ApiVersion"]))?.[0];
}

/** What the answer of `GET /info` says of the firewall; undefined where it says nothing. */
export function parseFirewallDriver(answer: unknown): string | undefined {
  return textOf(objectOf(objectOf(answer)["FirewallBackend"])["Driver"]) || undefined;
}

/** What the answer of `GET /info` says of live-restore. */
export function parseLiveRestore(answer: unknown): boolean {
  return objectOf(answer)["LiveRestoreEnabled"] === true;
}

/**
 * One element of `GET /networks`, or the answer of `GET /networks/ID`. One that is only settings for others
 * (`--config-only`) is none: no container can be on it.
 */
export function parseNetwork(answer: unknown): Network[] {
  const json = objectOf(answer);
  const id = textOf(json["Id"]);
  if (id === "" || json["ConfigOnly"] === true) return [];
  const driver = textOf(json["Driver"]);
  const configs = listOf(objectOf(json["IPAM"])["Config"]).map(objectOf);
  return [
    {
      id,
      name: textOf(json["Name"]),
      driver,
      bridge: driver === "bridge" ? bridgeOf(id, objectOf(json["Options"])) : undefined,
      subnets: configs.flatMap((config) => parsePrefix(textOf(config["Subnet"])) ?? []),
      gateways: configs.flatMap(
        (config) => parseAddress(textOf(config["Gateway"]).replace(/\/.*$/, "")) ?? [],
      ),
      internal: json["Internal"] === true,
      labels: textsOf(json["Labels"]),
      ...gatewayModesOf(objectOf(json["Options"])),
      ...(isFalse(objectOf(json["Options"])["com.docker.network.bridge.enable_icc"])
        ? { keepsApart: true }
        : {}),
    },
  ];
}

/** As the engine itself reads the text of a flag. */
function isFalse(value: unknown): boolean {
  return ["false", "False", "FALSE", "f", "F", "0"].includes(textOf(value));
}

function gatewayModesOf(options: Json): Pick<Network, "gatewayModes"> {
  const found = ([4, 6] as const).flatMap((family) => {
    const mode = textOf(options[`com.docker.network.bridge.gateway_mode_ipv${family}`]);
    return mode === "routed" || mode === "nat-unprotected" ? [[family, mode] as const] : [];
  });
  return found.length === 0 ? {} : { gatewayModes: Object.fromEntries(found) };
}

/** The answer of `GET /containers/ID/json`. */
export function parseContainer(answer: unknown): Container[] {
  const json = objectOf(answer);
  const id = textOf(json["Id"]);
  if (id === "") return [];
  const settings = objectOf(json["NetworkSettings"]);
  return [
    {
      id,
      name: textOf(json["Name"]).replace(/^\//, ""),
      labels: textsOf(objectOf(json["Config"])["Labels"]),
      running: objectOf(json["State"])["Running"] === true,
      networkMode: textOf(objectOf(json["HostConfig"])["NetworkMode"]),
      ...pidOf(objectOf(json["State"])),
      sandbox: textOf(settings["SandboxKey"]).split("/").at(-1) || undefined,
      endpoints: Object.values(objectOf(settings["Networks"])).flatMap(parseEndpoint),
      configured: configuredOf(objectOf(settings["Networks"])),
      hazards: hazardsOf(hostSettingsOf(json)),
      ...forgesNothingOf(json),
      ...hostsFileOf(json),
      ...dnsOf(objectOf(json["HostConfig"])),
      ...publishedOf(settings["Ports"]),
      ...hostPortsOf(settings["Ports"]),
      ...linkedOf(json),
      ...publishesOf(objectOf(json["HostConfig"])["PortBindings"], settings["Ports"]),
    },
  ];
}

/** A container as the list of all has it: what is not in it is not known. */
export interface ListedContainer {
  readonly container: Container;
  /** Another one, and it has to be read again. */
  readonly stamp: string;
}

/** One element of `GET /containers/json`. */
export function parseListedContainer(answer: unknown): ListedContainer[] {
  const json = objectOf(answer);
  const id = textOf(json["Id"]);
  if (id === "") return [];
  const networks = objectOf(objectOf(json["NetworkSettings"])["Networks"]);
  const state = textOf(json["State"]);
  const container: Container = {
    id,
    name: nameInList(listOf(json["Names"]).map(textOf)),
    labels: textsOf(json["Labels"]),
    running: ["running", "paused", "restarting"].includes(state),
    networkMode: textOf(objectOf(json["HostConfig"])["NetworkMode"]),
    sandbox: undefined,
    endpoints: Object.values(networks).flatMap(parseEndpoint),
    configured: configuredOf(networks),
    hazards: [],
  };
  // Each start makes endpoints anew, also where addresses stay.
  const endpoints = Object.values(networks).map((endpoint) => textOf(objectOf(endpoint)["EndpointID"]));
  const stamp = JSON.stringify([container, state, endpoints]);
  return [{ container, stamp }];
}

/** Links add names with the linking container's before them. */
function nameInList(names: readonly string[]): string {
  const own = names.find((name) => !name.slice(1).includes("/")) ?? "";
  return own.replace(/^\//, "");
}

function configuredOf(networks: Json): string[] {
  return Object.entries(networks).map(([name, endpoint]) => textOf(objectOf(endpoint)["NetworkID"]) || name);
}

/** 0 where none runs. */
function pidOf({ Pid }: Json): Pick<Container, "pid"> {
  return typeof Pid === "number" && Pid > 0 ? { pid: Pid } : {};
}

/** The engine's own, unless the container is given another one in its place. */
function hostsFileOf(container: Json): Pick<Container, "hostsFile"> {
  const mount = listOf(container["Mounts"])
    .map(objectOf)
    .find((each) => textOf(each["Destination"]) === "/etc/hosts");
  const hostsFile = textOf(mount?.["Source"]) || textOf(container["HostsPath"]);
  return hostsFile === "" ? {} : { hostsFile };
}

function dnsOf(host: Json): Pick<Container, "dns"> {
  const dns = listOf(host["Dns"]).flatMap((server) => parseAddress(textOf(server)) ?? []);
  return dns.length === 0 ? {} : { dns };
}

/** What opens ports between containers of Docker's own network. On others the engine makes names of links, and no rules. */
function linkedOf(json: Json): Pick<Container, "linked" | "exposes"> {
  const host = objectOf(json["HostConfig"]);
  if (!["default", "bridge"].includes(textOf(host["NetworkMode"]))) return {};
  const links = listOf(host["Links"]).flatMap((link) => parseLink(textOf(link)));
  const linked = links.map(({ name }) => name.replace(/^\//, ""));
  const exposes = portsOf(Object.keys(objectOf(objectOf(json["Config"])["ExposedPorts"])));
  return { ...(linked.length === 0 ? {} : { linked }), ...(exposes.length === 0 ? {} : { exposes }) };
}

/** What it is given of the host. */
function hostSettingsOf(container: Json): HostSettings {
  const host = objectOf(container["HostConfig"]);
  return {
    privileged: host["Privileged"] === true,
    networkMode: textOf(host["NetworkMode"]),
    pidMode: textOf(host["PidMode"]),
    capAdd: listOf(host["CapAdd"]).map(textOf),
    mounts: listOf(container["Mounts"]).map((mount) => textOf(objectOf(mount)["Source"])),
    devices: listOf(host["Devices"]).map((device) => textOf(objectOf(device)["PathOnHost"])),
    environment: listOf(objectOf(container["Config"])["Env"]).map(textOf),
  };
}

function forgesNothingOf(container: Json): Pick<Container, "forgesNothing"> {
  const capDrop = listOf(objectOf(container["HostConfig"])["CapDrop"]).map(textOf);
  return forgesNothing(hostSettingsOf(container), capDrop) ? { forgesNothing: true } : {};
}

function parseEndpoint(value: unknown): Endpoint[] {
  const json = objectOf(value);
  const networkId = textOf(json["NetworkID"]);
  if (networkId === "") return [];
  const priority = json["GwPriority"];
  return [
    {
      networkId,
      addresses: [json["IPAddress"], json["GlobalIPv6Address"]].flatMap((text): IpAddress[] =>
        [parseAddress(textOf(text)) ?? []].flat(),
      ),
      aliases: [...new Set([json["Aliases"], json["DNSNames"]].flatMap(listOf).map(textOf).filter(Boolean))],
      ...(typeof priority === "number" ? { gatewayPriority: priority } : {}),
      links: listOf(json["Links"]).flatMap((link) => parseLink(textOf(link))),
    },
  ];
}

/** `NAME:ALIAS`, or `NAME` for both. */
function parseLink(text: string): Link[] {
  const [name = "", alias = name] = text.split(":");
  return name === "" || alias === "" ? [] : [{ name, alias }];
}

/** Docker names a bridge `br-` and the first 12 digits of the network's id, unless told otherwise. */
function bridgeOf(id: string, options: Json): string {
  return textOf(options["com.docker.network.bridge.name"]) || `br-${shortId(id)}`;
}
