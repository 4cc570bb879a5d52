#include "cli/http.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frontend/cli/cli.h"

enum { MOST_ARGUMENTS = 32, WAITS = 1200 };

static void serve(const web *w, const char *const *words) {
    char *argv[MOST_ARGUMENTS], listen[128];
    int n = 0, log = open(w->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL); // a test that fails leaves none behind
    dup2(log, STDERR_FILENO);
    argv[n++] = "serve";
    snprintf(listen, sizeof listen, "unix:%s", w->socket);
    argv[n++] = "--listen";
    argv[n++] = listen;
    for (; *words; words++) argv[n++] = (char *)(uintptr_t)*words;
    argv[n] = NULL;
    exit(command_serve(n, argv));
}

const char *web_log(const web *w) {
    static char text[1 << 20];
    FILE *f = fopen(w->log, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = 0;
    if (f) fclose(f);
    return text;
}

static int try_connect(const web *w) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(to.sun_path, w->socket, strlen(w->socket));
    if (fd >= 0 && !connect(fd, (struct sockaddr *)&to, sizeof to)) return fd;
    int why = errno;
    if (fd >= 0) close(fd);
    errno = why;
    return -1;
}

web web_open(const char *const *words) {
    web w = {.folder = "/tmp/bertc-serve-XXXXXX"};
    ck_assert(mkdtemp(w.folder) != NULL);
    snprintf(w.socket, sizeof w.socket, "%s/s", w.folder);
    snprintf(w.log, sizeof w.log, "%s/log", w.folder);
    fflush(NULL);
    w.pid = fork();
    ck_assert_int_ge(w.pid, 0);
    if (!w.pid) serve(&w, words);
    for (int i = 0; i < WAITS; i++) {
        int fd = try_connect(&w);
        if (fd >= 0) return close(fd), w;
        ck_assert_msg(waitpid(w.pid, NULL, WNOHANG) == 0, "the server ended: %s", web_log(&w));
        usleep(50000);
    }
    ck_abort_msg("the server is not ready: %s", web_log(&w));
    return w;
}

int web_close(web *w, int signal) {
    int status = 0;
    kill(w->pid, signal);
    ck_assert_int_eq(waitpid(w->pid, &status, 0), w->pid);
    if (WIFEXITED(status) && WEXITSTATUS(status)) fprintf(stderr, "%s", web_log(w));
    unlink(w->log);
    unlink(w->socket);
    rmdir(w->folder);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

int web_connect(const web *w) {
    int fd = try_connect(w);
    ck_assert_msg(fd >= 0, "connect: %s", strerror(errno));
    return fd;
}

// --- Requests

void http_free(http_reply *r) {
    free(r->head);
    free(r->body);
    *r = (http_reply){0};
}

bool http_send(int fd, const char *bytes, size_t size) {
    for (ssize_t n; size; bytes += n, size -= (size_t)n)
        if ((n = send(fd, bytes, size, MSG_NOSIGNAL)) <= 0) return false;
    return true;
}

// The head comes byte by byte, so that a reply behind it stays in the socket.
static char *read_head(int fd) {
    char *head = calloc(1, 16384);
    for (size_t n = 0; n < 16383 && recv(fd, head + n, 1, 0) == 1; n++)
        if (n >= 3 && !memcmp(head + n - 3, "\r\n\r\n", 4)) return head;
    free(head);
    return NULL;
}

http_reply http_read(int fd) {
    http_reply r = {.head = read_head(fd)};
    if (!r.head) return r;
    const char *length = strcasestr(r.head, "\r\nContent-Length:");
    size_t size = length ? (size_t)atoll(length + 17) : 0, room = length ? size : 1 << 20;
    r.status = atoi(r.head + strlen("HTTP/1.1 "));
    r.body = calloc(1, room + 1);
    for (ssize_t n; r.size < room && (n = recv(fd, r.body + r.size, room - r.size, 0)) > 0;)
        r.size += (size_t)n;
    if (length && r.size < size) r.status = 0;
    return r;
}

http_reply http_ask(const web *w, const char *method, const char *path, const char *more, const char *body) {
    int fd = web_connect(w);
    char head[2048];
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s", method, path,
             more ? more : "");
    size_t n = strlen(head);
    if (body)
        snprintf(head + n, sizeof head - n, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                 strlen(body));
    else
        snprintf(head + n, sizeof head - n, "\r\n");
    http_send(fd, head, strlen(head));
    if (body) http_send(fd, body, strlen(body));
    http_reply r = {0};
    if (strcmp(method, "HEAD") != 0) {
        r = http_read(fd);
    } else {
        r.head = read_head(fd);
        r.status = r.head ? atoi(r.head + strlen("HTTP/1.1 ")) : 0;
    }
    close(fd);
    return r;
}

http_reply http_post(const web *w, const char *path, const char *body) {
    return http_ask(w, "POST", path, NULL, body);
}

Suite *web_suite(const char *name, const web_case *all, size_t count) {
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < count; i++) {
        TCase *c = tcase_create(all[i].name);
        tcase_set_timeout(c, 300);
        tcase_add_test(c, all[i].test);
        suite_add_tcase(suite, c);
    }
    return suite;
}

void expect_body(http_reply r, int status, const char *body) {
    ck_assert_msg(r.status == status && !strcmp(r.body ? r.body : "", body), "status %d: %s\nnot %d: %s",
                  r.status, r.body ? r.body : "", status, body);
    http_free(&r);
}

void expect_part(http_reply r, int status, const char *part) {
    ck_assert_msg(r.status == status && strstr(r.body ? r.body : "", part), "status %d: %s\nnot %d with: %s",
                  r.status, r.body ? r.body : "", status, part);
    http_free(&r);
}
