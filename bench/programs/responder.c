// Answers every question by UDP in the cheapest way, to be an upstream, or the ceiling of what a server could be.
//   responder PORT ADDRESSES
// A questions get one of so many addresses of 198.18.0.0/15 by a hash of the name, directly below own.example one of
// all of them, TTL 300. Of most other ranges an answer would open nothing: they are refused as private. Names that begin
// with "nx" do not exist; other types have no data. Both come with the SOA of the name above.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, MESSAGE = 1500 };

static unsigned char data[BATCH][MESSAGE];
static struct sockaddr_in from[BATCH];

static int answer(unsigned char *p, int length, unsigned addresses) {
  int at = 12;
  unsigned hash = 0;
  int missing = length > 15 && (p[13] | 32) == 'n' && (p[14] | 32) == 'x';
  while (at < length && p[at]) {
    for (int i = 1; i <= p[at]; i++) hash = hash * 31 + (p[at + i] | 32);
    at += p[at] + 1;
  }
  at += 5;
  if (at > length) return 0;
  int has = p[at - 3] == 1 && p[at - 4] == 0 && !missing;
  p[2] = 0x81, p[3] = missing ? 0x83 : 0x80;
  memset(p + 6, 0, 6);
  p[7] = has, p[9] = !has;
  const unsigned char *behind = p + 13 + p[12];
  int own = behind + 4 < p + length && !memcmp(behind, "\3own", 4);
  unsigned number = (hash ^ hash >> 16) % (own ? 0x1ffff : addresses) + 1;
  unsigned char a[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 198, 18 | (number >> 16 & 1), number >> 8, number};
  // Of the zone above: a name that has a SOA of its own exists, and dnsmasq would say so of it from its cache.
  unsigned char soa[] = {0xc0, p[12] ? 13 + p[12] : 12, 0, 6, 0, 1, 0, 0, 1, 44, 0, 22, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0,
                         0, 3, 0, 0, 0, 4, 0, 0, 1, 44};
  const unsigned char *record = has ? a : soa;
  int size = has ? sizeof a : sizeof soa;
  memcpy(p + at, record, size);
  return at + size;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  if (bind(fd, (void *)&at, sizeof at)) return 1;
  unsigned addresses = atoi(argv[2]);
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  for (;;) {
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){data[i], MESSAGE};
      messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1, .msg_name = &from[i],
                                            .msg_namelen = sizeof from[i]};
    }
    int got = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, 0);
    for (int i = 0; i < got; i++) parts[i].iov_len = answer(data[i], (int)messages[i].msg_len, addresses);
    if (got > 0) sendmmsg(fd, messages, got, 0);
  }
}
