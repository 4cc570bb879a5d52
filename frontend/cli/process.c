#include "frontend/cli/process.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

void process_open_standard(void) {
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) continue;
        int got = open("/dev/null", O_RDWR);  // the lowest number that is free
        if (got < 0) got = open("/", O_PATH); // what reads or writes it fails, as it did
        if (got < 0) _exit(1);
    }
}

// --- Files that become shorter: in a signal handler, so without memory, stdio or locks.

#define LINE_BYTES (PATH_MAX + 128) // of /proc/self/maps: START-END access offset device inode PATH

typedef struct reader {
    int fd;
    size_t at, count;
    char block[1024];
} reader;

static int next_byte(reader *r) {
    if (r->at == r->count) {
        ssize_t n = read(r->fd, r->block, sizeof r->block);
        r->at = 0;
        r->count = n > 0 ? (size_t)n : 0;
        if (n <= 0) return -1;
    }
    return (unsigned char)r->block[r->at++];
}

static bool next_line(reader *r, char line[LINE_BYTES]) {
    size_t n = 0;
    int c;
    while ((c = next_byte(r)) >= 0 && c != '\n')
        if (n + 1 < LINE_BYTES) line[n++] = (char)c;
    line[n] = 0;
    return c >= 0 || n > 0;
}

static const char *read_hex(const char *s, uintptr_t *out) {
    for (*out = 0;; s++) {
        int digit = *s >= '0' && *s <= '9' ? *s - '0' : *s >= 'a' && *s <= 'f' ? *s - 'a' + 10 : -1;
        if (digit < 0) return s;
        *out = *out * 16 + (uintptr_t)digit;
    }
}

// The path of the file that is mapped at an address: a place in `line`; NULL where there is none.
static const char *mapped_file(uintptr_t address, char line[LINE_BYTES]) {
    reader r = {.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    const char *path = NULL;
    while (r.fd >= 0 && !path && next_line(&r, line)) {
        uintptr_t start, end;
        const char *rest = read_hex(line, &start);
        read_hex(rest + (*rest == '-'), &end);
        if (address < start || address >= end) continue;
        path = strchr(line, '/');
        break;
    }
    if (r.fd >= 0) close(r.fd);
    return path;
}

static void put(const char *text) {
    char part[LINE_BYTES];
    size_t n = 0;
    for (; text[n] && n < sizeof part; n++) part[n] = text[n];
    for (ssize_t done; n && (done = write(2, part, n)) < (ssize_t)n && done > 0; n -= (size_t)done)
        memmove(part, part + done, n - (size_t)done);
}

// Of another thread that meets it while the first one speaks.
static void wait_for_the_end(int signal) {
    (void)signal;
    for (;;) pause();
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
    (void)context;
    char line[LINE_BYTES];
    struct sigaction other = {.sa_handler = wait_for_the_end}, before;
    sigaction(number, &other, &before); // what stands there says who is first: a handler has no other memory
    if (!(before.sa_flags & SA_SIGINFO)) wait_for_the_end(number);
    const char *path = info->si_code > 0 ? mapped_file((uintptr_t)info->si_addr, line) : NULL;
    if (path) {
        put("bertc: error: ");
        put(path);
        put(": became shorter while it was read\n");
        _exit(1);
    }
    signal(number, SIG_DFL); // something else, and not ours to explain
    raise(number);
}

void process_watch_files(void) {
    struct sigaction own = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &own, NULL);
}
