/*
 * Load client of the file benches: many TFTP or HTTP downloads at once from one thread. In C, because a client in Node
 * would itself be the limit of what is measured. Each slot has a source address of its own, base + slot.
 *
 *   load tftp SERVER PORT FILE BASE SLOTS TRANSFERS BLKSIZE WINDOW
 *   load http SERVER PORT PATH BASE SLOTS TRANSFERS
 *
 * SLOT in PATH stands for the slot's number from 1, as the last two bytes of a MAC: 00:01.
 *
 * TRANSFERS in all, SLOTS at once. Prints one line of JSON: seconds, bytes, resends, errors, p50Ms, p99Ms, maxMs.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RESEND_SECONDS 1.0
#define GIVE_UP_SECONDS 120.0

struct slot {
  int fd;
  int is_busy;
  double started, heard;
  /* TFTP */
  struct sockaddr_in peer;
  unsigned long acked, since_ack;
  int block_bytes, window, asked_again;
  unsigned char last[600];
  int last_bytes;
  /* HTTP */
  int in_body, head_bytes, sent;
  char head[8192];
  long long left;
};

static struct sockaddr_in server;
static in_addr_t base_address;
static const char *mode, *file;
static int slots, transfers, block_bytes = 512, window = 1, epoll_fd, done, begun;
static long long total_bytes, resends, errors;
static double *durations;
static struct slot *all;
static unsigned char buffer[1 << 18];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void watch(struct slot *s, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = s};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &event) < 0) die("epoll_ctl");
}

static int open_socket(struct slot *s, int type) {
  struct sockaddr_in own = {.sin_family = AF_INET};
  int one = 1, bytes = 1 << 20;
  own.sin_addr.s_addr = htonl(ntohl(base_address) + (unsigned)(s - all));
  s->fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
  if (s->fd < 0) die("socket");
  setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (type == SOCK_DGRAM) setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  if (bind(s->fd, (struct sockaddr *)&own, sizeof own) < 0) die("bind");
  return s->fd;
}

static void send_last(struct slot *s) {
  sendto(s->fd, s->last, s->last_bytes, 0, (struct sockaddr *)&s->peer, sizeof s->peer);
}

static void send_ack(struct slot *s) {
  s->last[0] = 0, s->last[1] = 4, s->last[2] = s->acked >> 8, s->last[3] = s->acked;
  s->last_bytes = 4;
  s->since_ack = 0;
  send_last(s);
}

static void begin(struct slot *s) {
  begun++;
  s->is_busy = 1;
  s->started = s->heard = now();
  if (mode[0] == 't') {
    open_socket(s, SOCK_DGRAM);
    s->peer = server;
    s->acked = s->since_ack = 0;
    s->block_bytes = 512, s->window = 1, s->asked_again = 0;
    s->last_bytes = 2 + sprintf((char *)s->last + 2, "%s%coctet%cblksize%c%d%ctsize%c0%c", file, 0, 0, 0, block_bytes, 0, 0, 0);
    if (window > 1) s->last_bytes += sprintf((char *)s->last + s->last_bytes, "windowsize%c%d%c", 0, window, 0);
    s->last[0] = 0, s->last[1] = 1;
    watch(s, EPOLLIN);
    send_last(s);
  } else {
    if (s->fd <= 0) {
      open_socket(s, SOCK_STREAM);
      if (connect(s->fd, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) die("connect");
      watch(s, EPOLLIN | EPOLLOUT | EPOLLET);
    }
    s->in_body = s->head_bytes = s->sent = 0;
  }
}

static void finish(struct slot *s, int is_good) {
  s->is_busy = 0;
  if (!is_good) errors++;
  durations[done++] = (now() - s->started) * 1000;
  if (mode[0] == 't' || !is_good) {
    close(s->fd);
    s->fd = 0;
  }
  if (begun < transfers) begin(s);
}

static void on_tftp(struct slot *s) {
  for (int n = 0; n < 64 && s->is_busy; n++) {
    struct sockaddr_in from;
    socklen_t length = sizeof from;
    ssize_t bytes = recvfrom(s->fd, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &length);
    if (bytes < 4) return;
    s->heard = now();
    if (s->peer.sin_port == server.sin_port) s->peer = from;
    if (from.sin_port != s->peer.sin_port) continue;
    if (buffer[1] == 5) return finish(s, 0);
    if (buffer[1] == 6) {
      for (char *p = (char *)buffer + 2; p < (char *)buffer + bytes;) {
        char *value = p + strlen(p) + 1;
        if (!strcasecmp(p, "blksize")) s->block_bytes = atoi(value);
        if (!strcasecmp(p, "windowsize")) s->window = atoi(value);
        p = value + strlen(value) + 1;
      }
      send_ack(s);
      continue;
    }
    if (buffer[1] != 3) continue;
    unsigned block = buffer[2] << 8 | buffer[3];
    if (block != ((s->acked + 1) & 0xffff)) {
      if (s->window > 1 && !s->asked_again) s->asked_again = 1, send_ack(s), resends++;
      continue;
    }
    s->acked++, s->since_ack++, s->asked_again = 0;
    total_bytes += bytes - 4;
    int is_last = bytes - 4 < s->block_bytes;
    if (is_last || (int)s->since_ack >= s->window) send_ack(s);
    if (is_last) return finish(s, 1);
  }
}

static void on_http(struct slot *s) {
  if (s->is_busy && !s->sent) {
    char request[512];
    const char *mark = strstr(file, "SLOT");
    int number = (int)(s - all) + 1, length;
    if (mark) length = snprintf(request, sizeof request, "GET %.*s%02x:%02x%s HTTP/1.1\r\nHost: bench\r\n\r\n", (int)(mark - file), file, number >> 8, number & 0xff, mark + 4);
    else length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", file);
    if (send(s->fd, request, length, MSG_NOSIGNAL) == length) s->sent = 1;
  }
  while (s->is_busy) {
    if (!s->in_body) {
      ssize_t bytes = recv(s->fd, s->head + s->head_bytes, sizeof s->head - 1 - s->head_bytes, 0);
      if (bytes < 0 && errno == EAGAIN) return;
      if (bytes <= 0) return finish(s, 0);
      s->head_bytes += bytes;
      s->head[s->head_bytes] = 0;
      char *end = strstr(s->head, "\r\n\r\n"), *length = strcasestr(s->head, "content-length:");
      if (!end) continue;
      if (!length || strncmp(s->head, "HTTP/1.1 200", 12)) return finish(s, 0);
      s->left = atoll(length + 15);
      long long here = s->head_bytes - (end + 4 - s->head);
      s->left -= here, total_bytes += here, s->in_body = 1;
    } else {
      ssize_t bytes = recv(s->fd, buffer, s->left < (long long)sizeof buffer ? (size_t)s->left : sizeof buffer, MSG_TRUNC);
      if (bytes < 0 && errno == EAGAIN) return;
      if (bytes <= 0) return finish(s, 0);
      s->left -= bytes, total_bytes += bytes;
    }
    if (s->in_body && s->left <= 0) {
      finish(s, 1);
      if (s->is_busy && s->fd > 0 && !s->sent) return on_http(s);
    }
  }
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
  if (argc < 8) return 2;
  mode = argv[1], file = argv[4];
  server.sin_family = AF_INET, server.sin_port = htons(atoi(argv[3]));
  inet_pton(AF_INET, argv[2], &server.sin_addr);
  base_address = inet_addr(argv[5]);
  slots = atoi(argv[6]), transfers = atoi(argv[7]);
  if (argc > 9) block_bytes = atoi(argv[8]), window = atoi(argv[9]);
  all = calloc(slots, sizeof *all);
  durations = calloc(transfers, sizeof *durations);
  epoll_fd = epoll_create1(0);
  double start = now(), looked = start;
  for (int n = 0; n < slots && begun < transfers; n++) begin(&all[n]);
  while (done < transfers) {
    struct epoll_event events[256];
    int count = epoll_wait(epoll_fd, events, 256, 50);
    for (int n = 0; n < count; n++) {
      struct slot *s = events[n].data.ptr;
      if (!s->is_busy) continue;
      if (mode[0] == 't') on_tftp(s);
      else on_http(s);
    }
    double t = now();
    if (t - looked < 0.05) continue;
    looked = t;
    for (int n = 0; n < slots; n++) {
      struct slot *s = &all[n];
      if (!s->is_busy) continue;
      if (t - s->started > GIVE_UP_SECONDS) finish(s, 0);
      else if (mode[0] == 't' && t - s->heard > RESEND_SECONDS) s->heard = t, resends++, send_last(s);
    }
  }
  double seconds = now() - start;
  qsort(durations, transfers, sizeof *durations, by_value);
  printf("{\"seconds\":%.6f,\"bytes\":%lld,\"resends\":%lld,\"errors\":%lld,\"p50Ms\":%.3f,\"p99Ms\":%.3f,\"maxMs\":%.3f}\n", seconds,
         total_bytes, resends, errors, durations[(transfers - 1) / 2], durations[(int)((transfers - 1) * 0.99)],
         durations[transfers - 1]);
  return 0;
}
