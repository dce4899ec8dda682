// Traffic of one kind through a router, as fast as it goes.
//   traffic flow ADDRESS PORT SECONDS     datagrams of 64 bytes of one flow; says how many were sent each second,
//                                         and the microseconds of a processor for each
//   traffic connect ADDRESS PORT SECONDS  TCP connections, opened and reset one after the other; says the same, and how
//                                         many failed
//   traffic stream ADDRESS PORT SECONDS   one TCP connection, as many bytes as it takes; says the same of megabytes
//   traffic serve PORT                    takes all of them, streams at the port behind it, until it is killed; each
//                                         connection is sent a byte
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, SIZE = 64, /** What the first octet of a datagram says that is to be answered. */ ANSWER = 1 };

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

/** That this process has had of a processor; what a router does with its packets on the way is in it. */
static double ran(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static struct sockaddr_in to(const char *address, const char *port) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
  inet_pton(AF_INET, address, &where.sin_addr);
  return where;
}

static void flow(struct sockaddr_in where, double seconds) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  connect(fd, (void *)&where, sizeof where);
  char data[SIZE] = {ANSWER};
  // A flow is established with its first answer.
  if (send(fd, data, SIZE, 0) != SIZE || recv(fd, data, SIZE, 0) != SIZE) exit(1);
  data[0] = 0;
  struct iovec part = {data, SIZE};
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) messages[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
  long sent = 0;
  double from = now(), until = from + seconds, at = from;
  for (; at < until; at = now()) {
    int count = sendmmsg(fd, messages, BATCH, 0);
    if (count > 0) sent += count;
  }
  printf("{\"perSecond\": %.0f, \"cpu\": %.3f}\n", sent / (at - from), ran() * 1e6 / sent);
}

static void connects(struct sockaddr_in where, double seconds) {
  long made = 0, failed = 0;
  struct linger reset = {1, 0};
  double from = now(), until = from + seconds, at = from;
  for (; at < until; at = now()) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(fd, (void *)&where, sizeof where)) failed++; else made++;
    close(fd);
  }
  printf("{\"perSecond\": %.0f, \"cpu\": %.3f, \"failed\": %ld}\n", made / (at - from), ran() * 1e6 / made, failed);
}

static void stream(struct sockaddr_in where, double seconds) {
  static char data[1 << 16];
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (void *)&where, sizeof where)) exit(1);
  double from = now(), until = from + seconds, at = from, sent = 0;
  for (; at < until; at = now()) {
    ssize_t count = write(fd, data, sizeof data);
    if (count <= 0) exit(1);
    sent += count / 1e6;
  }
  printf("{\"perSecond\": %.0f, \"cpu\": %.3f}\n", sent / (at - from), ran() * 1e6 / sent);
}

/** What a stream says, in a process of its own, which ends with the server at the latest. */
static void drain(int fd) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  static char data[1 << 18];
  while (read(fd, data, sizeof data) > 0);
  _exit(0);
}

static void serve(const char *port) {
  struct sockaddr_in at = to("0.0.0.0", port);
  int one = 1, room = 8 << 20;
  struct sockaddr_in behind = at;
  behind.sin_port = htons(atoi(port) + 1);
  signal(SIGCHLD, SIG_IGN);
  int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  int sink = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(datagrams, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(datagrams, (void *)&at, sizeof at) || bind(door, (void *)&at, sizeof at) || listen(door, 4096)) exit(1);
  if (bind(sink, (void *)&behind, sizeof behind) || listen(sink, 64)) exit(1);
  struct pollfd all[] = {{datagrams, POLLIN, 0}, {door, POLLIN, 0}, {sink, POLLIN, 0}};
  static char data[BATCH][SIZE];
  static struct sockaddr_in from[BATCH];
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    parts[i] = (struct iovec){data[i], SIZE};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1, .msg_name = &from[i],
                                          .msg_namelen = sizeof from[i]};
  }
  for (;;) {
    if (poll(all, 3, -1) < 0) continue;
    for (int count; (count = recvmmsg(datagrams, messages, BATCH, 0, 0)) > 0;)
      for (int i = 0; i < count; i++)
        if (data[i][0] == ANSWER) sendto(datagrams, data[i], SIZE, 0, (void *)&from[i], sizeof from[i]);
    for (int fd; (fd = accept(door, 0, 0)) >= 0;) {
      send(fd, "!", 1, MSG_NOSIGNAL);
      close(fd);
    }
    for (int fd; (fd = accept(sink, 0, 0)) >= 0;) {
      if (fork() == 0) drain(fd);
      close(fd);
    }
  }
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "serve")) serve(argv[2]);
  else if (argc == 5 && !strcmp(argv[1], "flow")) flow(to(argv[2], argv[3]), atof(argv[4]));
  else if (argc == 5 && !strcmp(argv[1], "connect")) connects(to(argv[2], argv[3]), atof(argv[4]));
  else if (argc == 5 && !strcmp(argv[1], "stream")) stream(to(argv[2], argv[3]), atof(argv[4]));
  else return 2;
}
