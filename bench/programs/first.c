// First connections, one after the other: a new name is looked up, its address connected to at once, and a byte read.
//   first RESOLVER PORT COUNT SUFFIX TCPPORT
// Prints one line of JSON: microseconds of the lookup, and of all of it; how many lookups failed, and connections.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double quantile(double *of, long count, double part) {
  qsort(of, count, sizeof *of, ascending);
  return count ? of[(long)((count - 1) * part)] : 0;
}

static int render(unsigned char *p, unsigned short id, const char *name) {
  memset(p, 0, 12);
  p[0] = id >> 8, p[1] = id & 255, p[2] = 1, p[5] = 1;
  int at = 12;
  while (*name) {
    const char *dot = strchr(name, '.');
    int length = dot ? (int)(dot - name) : (int)strlen(name);
    p[at++] = (unsigned char)length;
    memcpy(p + at, name, length);
    at += length, name += length + (dot ? 1 : 0);
  }
  memcpy(p + at, "\0\0\1\0\1", 5);
  return at + 5;
}

/** The first address of an answer, behind so many bytes of head and question; 0 when there is none. */
static unsigned address_in(const unsigned char *p, int length, int at) {
  if ((p[3] & 15) != 0) return 0;
  while (at + 12 <= length) {
    while (at < length && p[at] && p[at] < 192) at += p[at] + 1;
    at += p[at] ? 2 : 1;
    int type = p[at] << 8 | p[at + 1], size = p[at + 8] << 8 | p[at + 9];
    unsigned address;
    memcpy(&address, p + at + 10, 4);
    if (type == 1) return address;
    at += 10 + size;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct timeval patience = {5, 0}, hurry = {2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  struct sockaddr_in resolver = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &resolver.sin_addr);
  if (connect(fd, (void *)&resolver, sizeof resolver)) return 1;
  long count = atol(argv[3]), good = 0, unknown = 0, refused = 0;
  double *looked = malloc(count * sizeof *looked), *all = malloc(count * sizeof *all);
  struct linger reset = {1, 0};
  for (long index = 0; index < count; index++) {
    unsigned char message[1500];
    char name[200];
    snprintf(name, sizeof name, "c%d-%ld.%s", getpid(), index, argv[4]);
    int length = render(message, (unsigned short)index, name);
    double from = now();
    send(fd, message, length, 0);
    ssize_t got = recv(fd, message, sizeof message, 0);
    double answered = now();
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[5]))};
    to.sin_addr.s_addr = got > 12 ? address_in(message, (int)got, length) : 0;
    if (to.sin_addr.s_addr == 0) {
      unknown++;
      continue;
    }
    int door = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(door, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    setsockopt(door, SOL_SOCKET, SO_SNDTIMEO, &hurry, sizeof hurry);
    setsockopt(door, SOL_SOCKET, SO_RCVTIMEO, &hurry, sizeof hurry);
    char byte;
    int is_good = connect(door, (void *)&to, sizeof to) == 0 && recv(door, &byte, 1, 0) == 1;
    double ended = now();
    close(door);
    if (is_good) looked[good] = answered - from, all[good++] = ended - from;
    else refused++;
  }
  printf("{\"good\":%ld,\"unknown\":%ld,\"refused\":%ld,\"lookup50\":%.1f,\"lookup99\":%.1f,\"p50\":%.1f,\"p99\":%.1f}\n", good,
         unknown, refused, quantile(looked, good, .5), quantile(looked, good, .99), quantile(all, good, .5),
         quantile(all, good, .99));
  return 0;
}
