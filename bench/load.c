/* Load for a plain-dialect server: keeps `outstanding` frames in flight on each of
 * `connections` connections, and measures for `seconds` behind a warm-up.
 *
 *   load PORT PID CONNECTIONS OUTSTANDING WARM_SECONDS SECONDS FRAMES FRAME_SIZE REPLY_SIZE REPLIES
 *
 * FRAMES: a file of prepared frames of FRAME_SIZE bytes each. Every reply must be one frame
 * of REPLY_SIZE bytes; the first 64 are written to the file REPLIES for the caller to open.
 * Prints: acks, seconds, CPU seconds of process PID, p50 and p99 of the latency in
 * microseconds. Ends with 1 where a reply is not a right frame. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MOST_OUTSTANDING 1024
#define SAMPLES (1 << 22)
#define CAPTURED 64

struct connection {
    int fd;
    size_t have;                      /* bytes of an incomplete reply */
    unsigned char partial[4096];
    double sent[MOST_OUTSTANDING];    /* when, in order: a ring */
    unsigned head, tail;
};

static unsigned char *frames;
static size_t frame_count, frame_size, reply_size, next_frame, captured;
static char reply_head[16];
static FILE *capture;
static float *samples;
static size_t sample_count;
static unsigned long long acks;
static int measuring;

static void die(const char *why) { fprintf(stderr, "load: %s\n", why); exit(1); }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double cpu_seconds(int pid) {
    char path[64], line[2048];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(line, sizeof line, file)) die("the server is gone");
    fclose(file);
    if (sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
               &user, &system) != 2) die("cannot read the server's CPU time");
    return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

static void send_frames(struct connection *c, unsigned count) {
    unsigned char buffer[256 * 1024];
    size_t size = 0;
    double t = now();
    for (unsigned i = 0; i < count; i++) {
        memcpy(buffer + size, frames + next_frame * frame_size, frame_size);
        next_frame = (next_frame + 1) % frame_count;
        size += frame_size;
        c->sent[c->tail++ % MOST_OUTSTANDING] = t;
    }
    for (size_t done = 0; done < size;) {
        ssize_t n = send(c->fd, buffer + done, size - done, 0);
        if (n > 0) done += n;
        else if (errno != EAGAIN) die("cannot send");
    }
}

static void take_reply(struct connection *c, const unsigned char *reply, double t) {
    if (memcmp(reply, reply_head, strlen(reply_head)) || reply[reply_size - 1] != ',')
        die("a reply is not the frame it should be");
    if (captured < CAPTURED) { fwrite(reply, reply_size, 1, capture); captured++; }
    double sent = c->sent[c->head++ % MOST_OUTSTANDING];
    if (measuring) {
        acks++;
        if (sample_count < SAMPLES) samples[sample_count++] = (float)((t - sent) * 1e6);
    }
}

static void receive(struct connection *c) {
    static unsigned char buffer[256 * 1024];
    memcpy(buffer, c->partial, c->have);
    ssize_t n = recv(c->fd, buffer + c->have, sizeof buffer - c->have, 0);
    if (n == 0) die("the server closed");
    if (n < 0) { if (errno == EAGAIN) return; die("cannot receive"); }
    size_t size = c->have + n, at = 0;
    unsigned count = 0;
    double t = now();
    for (; size - at >= reply_size; at += reply_size, count++) take_reply(c, buffer + at, t);
    c->have = size - at;
    memcpy(c->partial, buffer + at, c->have);
    if (count) send_frames(c, count);
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    if (argc != 11) die("ten arguments expected");
    int port = atoi(argv[1]), pid = atoi(argv[2]), count = atoi(argv[3]);
    unsigned outstanding = atoi(argv[4]);
    double warm = atof(argv[5]), seconds = atof(argv[6]);
    frame_size = atoi(argv[8]);
    reply_size = atoi(argv[9]);
    if (outstanding > MOST_OUTSTANDING || outstanding * frame_size > 256 * 1024 ||
        reply_size > sizeof ((struct connection *)0)->partial) die("too much at once");
    /* the digits of a netstring: its whole size is digits + ":" + payload + "," */
    size_t payload = reply_size - 5;
    snprintf(reply_head, sizeof reply_head, "%zu:", payload);
    if (strlen(reply_head) + payload + 1 != reply_size) die("unexpected size of replies");
    struct stat info;
    int fd = open(argv[7], O_RDONLY);
    if (fd < 0 || fstat(fd, &info)) die("no frames");
    frames = malloc(info.st_size);
    if (read(fd, frames, info.st_size) != info.st_size) die("cannot read the frames");
    frame_count = info.st_size / frame_size;
    capture = fopen(argv[10], "wb");
    samples = malloc(SAMPLES * sizeof *samples);
    struct connection *all = calloc(count, sizeof *all);
    int poll = epoll_create1(0), yes = 1;
    if (!capture || !samples || !all || poll < 0) die("no memory");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int i = 0; i < count; i++) {
        all[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(all[i].fd, (struct sockaddr *)&address, sizeof address)) die("no server");
        setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
        send_frames(&all[i], outstanding);
    }
    double start = now() + warm, end = 0, cpu = 0, t;
    struct epoll_event events[256];
    while (1) {
        int ready = epoll_wait(poll, events, 256, 5000);
        if (ready == 0) die("the server fell silent");
        for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
        t = now();
        if (!measuring && t >= start) {
            measuring = 1; start = t; end = t + seconds; cpu = cpu_seconds(pid);
        } else if (measuring && t >= end) break;
    }
    cpu = cpu_seconds(pid) - cpu;
    fclose(capture);
    qsort(samples, sample_count, sizeof *samples, by_value);
    printf("%llu %.6f %.3f %.1f %.1f\n", acks, t - start, cpu,
           samples[sample_count / 2], samples[sample_count * 99 / 100]);
    return 0;
}
