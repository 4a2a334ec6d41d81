#define _GNU_SOURCE
/* The least that a FastAGI server can do: the yardstick of bench/fastagi/run.py, nothing else.
 * Usage: epoll_server ADDRESS PORT */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SIZE 16384
struct session { int fd; int waiting; size_t used; char bytes[SIZE]; };

static const char ANSWER[] =
    "SET VARIABLE CALLCTL_PLAN \"1|p1|1|inbound|x|did:x||||!ring|20|0|101|101\"\n";

static void end(struct session *s) { close(s->fd); free(s); }

static void readable(struct session *s)
{
    ssize_t n = read(s->fd, s->bytes + s->used, SIZE - s->used);
    if (n <= 0) { end(s); return; }
    s->used += (size_t)n;
    if (!s->waiting) {
        if (s->used < 2 || memcmp(s->bytes + s->used - 2, "\n\n", 2)) return;
        s->waiting = 1;
        s->used = 0;
        if (write(s->fd, ANSWER, sizeof ANSWER - 1) < 0) end(s);
    } else if (memchr(s->bytes, '\n', s->used)) {
        end(s);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024)) {
        perror("bind");
        return 1;
    }
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[64];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr) { readable(events[i].data.ptr); continue; }
            int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
            if (fd < 0) continue;
            struct session *s = malloc(sizeof *s);
            if (!s) { close(fd); continue; }
            s->fd = fd; s->waiting = 0; s->used = 0;
            event.events = EPOLLIN;
            event.data.ptr = s;
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        }
    }
}
