// Asks a DNS server, with so many questions outstanding, and prints one line of JSON.
//   generator ADDRESS PORT SECONDS WINDOW NAMES SUFFIX cached|fresh|missing|gone [RATE [COUNT]]
// cached: NAMES names below SUFFIX in turn; fresh: a new name each time; missing: a new one that does not exist; gone:
// NAMES that do not exist, in turn. What is not answered in a second is lost. It asks as fast as it is answered, or
// RATE questions a second where that is not 0; with a WINDOW of 0 whether it is answered or not. It ends with the answer
// to the last of COUNT questions, if that is sooner.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IDS = 65536, BATCH = 128, QUESTION = 128, ANSWER = 1500 };

static unsigned char questions[IDS][QUESTION];
static double sent_at[IDS];
static char live[IDS];
static unsigned char answers[BATCH][ANSWER];
static float *latencies;
static long capacity = 4 << 20, count;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static int put_labels(unsigned char *p, const char *name) {
  int at = 0;
  while (*name) {
    const char *dot = strchr(name, '.');
    int length = dot ? (int)(dot - name) : (int)strlen(name);
    p[at++] = (unsigned char)length;
    memcpy(p + at, name, length);
    at += length;
    name += length + (dot ? 1 : 0);
  }
  return at;
}

static int render(unsigned char *p, unsigned short id, const char *label, const char *suffix) {
  memset(p, 0, 12);
  p[0] = id >> 8, p[1] = id & 255, p[2] = 1, p[5] = 1;
  int at = 12 + put_labels(p + 12, label);
  at += put_labels(p + at, suffix);
  memcpy(p + at, "\0\0\1\0\1", 5);
  return at + 5;
}

static void note(double seconds) {
  if (count == capacity) latencies = realloc(latencies, (capacity *= 2) * sizeof *latencies);
  latencies[count++] = (float)seconds;
}

static double quantile(double part) { return count ? latencies[(long)((count - 1) * part)] * 1e6 : 0; }

int main(int argc, char **argv) {
  if (argc < 8 || argc > 10) return 2;
  double seconds = atof(argv[3]), rate = argc > 8 ? atof(argv[8]) : 0;
  int window = atoi(argv[4]), names = atoi(argv[5]), outstanding = 0, blind = window == 0;
  int fresh = !strcmp(argv[7], "fresh") || !strcmp(argv[7], "missing");
  const char *prefix = !strcmp(argv[7], "missing") || !strcmp(argv[7], "gone") ? "nx" : "";
  int fd = socket(AF_INET, SOCK_DGRAM, 0), room = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &to.sin_addr);
  if (connect(fd, (void *)&to, sizeof to)) return 1;
  latencies = malloc(capacity * sizeof *latencies);
  struct mmsghdr messages[BATCH];
  struct iovec parts[BATCH];
  long most = argc > 9 ? atol(argv[9]) : 0x7fffffff;
  long sequence = 0, lost = 0, addressed = 0, rcodes[16] = {0};
  unsigned short id = 0;
  double begun = now(), end = begun + seconds, heard = begun;
  for (double t = begun; t < end; t = now()) {
    memset(messages, 0, sizeof messages);
    int batch = 0;
    for (; (blind || outstanding < window) && batch < BATCH; id++) {
      if (sequence == most) break;
      if (rate > 0 && sequence >= rate * (t - begun)) break;
      if (live[id] && !blind) continue;
      lost += live[id];
      char label[64];
      if (fresh) snprintf(label, sizeof label, "%sf%d-%ld", prefix, getpid(), sequence++);
      else snprintf(label, sizeof label, "%sn%ld", prefix, sequence++ % names);
      parts[batch] = (struct iovec){questions[id], render(questions[id], id, label, argv[6])};
      messages[batch].msg_hdr.msg_iov = &parts[batch];
      messages[batch].msg_hdr.msg_iovlen = 1;
      live[id] = 1, sent_at[id] = t, outstanding++, batch++;
    }
    if (batch) sendmmsg(fd, messages, batch, 0);
    struct pollfd ready = {fd, POLLIN, 0};
    struct timespec paced = {0, 200000}, patient = {0, 50000000};
    ppoll(&ready, 1, rate > 0 ? &paced : &patient, 0);
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){answers[i], ANSWER};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    int got = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, 0);
    t = now();
    for (int i = 0; i < got; i++) {
      unsigned short of = answers[i][0] << 8 | answers[i][1];
      if (!live[of]) continue;
      live[of] = 0, outstanding--, heard = t;
      rcodes[answers[i][3] & 15]++, addressed += answers[i][7] > 0;
      note(t - sent_at[of]);
    }
    if (outstanding == 0) heard = t;
    if (sequence == most && outstanding == 0) break;
    if (blind || t - heard < 1) continue;
    for (int i = 0; i < IDS; i++) lost += live[i], live[i] = 0;
    outstanding = 0, heard = t;
  }
  double took = now() - begun;
  qsort(latencies, count, sizeof *latencies, ascending);
  printf("{\"asked\":%ld,\"answers\":%ld,\"perSecond\":%.0f,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"lost\":%ld,\"addressed\":%ld,"
         "\"servFail\":%ld,\"nxDomain\":%ld}\n",
         sequence, count, count / took, quantile(.5), quantile(.99), quantile(.999), lost, addressed, rcodes[2], rcodes[3]);
  return 0;
}
