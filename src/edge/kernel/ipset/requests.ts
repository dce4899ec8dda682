// What is asked of the kernel's sets, one request at a time: the bytes of it, and its answer.

import type { SetSpec, SetType } from "../../../core/firewall/sets.ts";
import { DockerwallError } from "../../../errors.ts";
import {
  eachAttribute,
  NLA_F_NET_BYTEORDER,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readText,
} from "../netlink/message.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { readEntry, writeEntry } from "./entry.ts";
import { explained } from "./error.ts";
