// links: cli
// `bertc serve` under many clients, and under bad ones: nothing of others is lost, nothing leaks (under sanitizers: the server ends as
// a program does), nothing hangs. `--all`: 10,000 connections in turn and bodies of 100 MB, for the full run.
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/http.h"
#include "frontend/cli/cli.h"
#include "main.h"

#define MODEL BERTC_TESTS "/../examples/models/mini-sst2"

static bool all_of_it;

static void expect_well(const web *w) {
    http_reply r = http_post(w, "/predict", "{\"inputs\": \"good\"}");
    ck_assert_msg(r.status == 200 && strstr(r.body, "positive"), "status %d: %s", r.status,
                  r.body ? r.body : "");
    http_free(&r);
}

static void send_request(int fd, const char *path, const char *body, const char *more) {
    char head[512];
    snprintf(head, sizeof head,
             "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
             path, more, strlen(body));
    ck_assert(http_send(fd, head, strlen(head)));
    ck_assert(http_send(fd, body, strlen(body)));
}

// --- Many at once

enum { CROWD = 48 };

// The same text alone gets the same bits as among others, in batches that are cut small.
START_TEST(batches) {
    static const char *const settings[][2] = {{"--max-wait-us", "20000"}, {"--max-batch-tokens", "40"}};
    char bodies[CROWD][1200];
    for (int i = 0; i < CROWD; i++) {
        size_t n = (size_t)snprintf(bodies[i], sizeof bodies[i], "{\"inputs\": \"text %d", i);
        for (int k = 0; k < i * 7 % 60; k++)
            n += (size_t)snprintf(bodies[i] + n, sizeof bodies[i] - n, " word%d", k);
        snprintf(bodies[i] + n, sizeof bodies[i] - n, "\"%s}", i % 5 ? "" : ", \"raw_scores\": true");
    }
    web alone = web_open((const char *[]){MODEL, "-j1", "--log", "none", NULL});
    for (int k = 0; k < 2; k++) {
        web w = web_open((const char *[]){MODEL, "-j2", settings[k][0], settings[k][1], NULL});
        int fds[CROWD];
        for (int i = 0; i < CROWD; i++) send_request(fds[i] = web_connect(&w), "/predict", bodies[i], "");
        for (int i = 0; i < CROWD; i++) {
            http_reply got = http_read(fds[i]), expected = http_post(&alone, "/predict", bodies[i]);
            ck_assert_int_eq(got.status, 200);
            ck_assert_str_eq(got.body, expected.body);
            http_free(&got);
            http_free(&expected);
            close(fds[i]);
        }
        ck_assert_int_eq(web_close(&w, SIGTERM), 0);
    }
    ck_assert_int_eq(web_close(&alone, SIGTERM), 0);
}
END_TEST

// Where as many texts wait as may, a request is told so; those that wait are answered.
START_TEST(overload) {
    web w = web_open(
        (const char *[]){MODEL, "-j1", "--max-concurrent-requests", "3", "--max-wait-us", "400000", NULL});
    int fds[8], answered = 0, refused = 0;
    for (int i = 0; i < 8; i++)
        send_request(fds[i] = web_connect(&w), "/predict", "{\"inputs\": \"good\"}", "");
    for (int i = 0; i < 8; i++) {
        http_reply r = http_read(fds[i]);
        answered += r.status == 200;
        if (r.status == 429) {
            ck_assert(strcasestr(r.head, "Retry-After: 1") != NULL);
            ck_assert_str_eq(r.body, "{\"error\": \"Model is overloaded\", \"error_type\": \"Overloaded\"}");
            refused++;
        }
        http_free(&r);
        close(fds[i]);
    }
    ck_assert_int_eq(answered + refused, 8);
    ck_assert_int_ge(answered, 3);
    ck_assert_int_ge(refused, 1);
    expect_well(&w);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// What was sent before the signal is answered: texts in the queue, requests that nobody has read yet, and new connections.
START_TEST(shutdown_loses_nothing) {
    for (int turn = 0; turn < 3; turn++) {
        char wait[20];
        snprintf(wait, sizeof wait, "%d", turn * 150000);
        web w = web_open((const char *[]){MODEL, "-j1", "--max-wait-us", wait, NULL});
        int fds[40], kept = web_connect(&w), idle = web_connect(&w);
        send_request(kept, "/predict", "{\"inputs\": \"good\"}", "");
        http_reply first = http_read(kept);
        ck_assert_int_eq(first.status, 200);
        http_free(&first);
        for (int i = 0; i < 40; i++)
            send_request(fds[i] = web_connect(&w), "/predict", "{\"inputs\": \"good\"}", "");
        send_request(kept, "/predict", "{\"inputs\": \"good\"}", "");
        kill(w.pid, turn == 1 ? SIGHUP : SIGTERM);
        for (int i = 0; i <= 40; i++) {
            http_reply r = http_read(i < 40 ? fds[i] : kept);
            ck_assert_msg(r.status == 200, "turn %d, request %d: %d", turn, i, r.status);
            http_free(&r);
            close(i < 40 ? fds[i] : kept);
        }
        ck_assert_int_eq(web_close(&w, 0), 0);
        close(idle);
    }
}
END_TEST

// --- Slow ones

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

START_TEST(slow_writers) {
    static const char head[] = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "application/json\r\nContent-Length: 30\r\n\r\n{\"in";
    web w = web_open((const char *[]){MODEL, "-j1", "--timeout", "1", NULL});
    double begin = now();
    int silent = web_connect(&w), half = web_connect(&w), body = web_connect(&w), drops = web_connect(&w);
    http_send(half, head, 30);
    http_send(body, head, sizeof head - 1);
    for (int i = 0; i < 30 && http_send(drops, head + i, 1); i++) usleep(60000); // never long without a byte
    expect_well(&w);
    http_reply r = http_read(half);
    ck_assert_int_eq(r.status, 408);
    ck_assert(strstr(r.body, "\"error_type\": \"Validation\"}") != NULL);
    ck_assert_uint_eq(r.size, strlen(r.body));
    http_free(&r);
    r = http_read(body);
    ck_assert_int_eq(r.status, 408);
    http_free(&r);
    r = http_read(silent);
    http_free(&r);
    r = http_read(drops);
    ck_assert_int_eq(r.status, 408);
    http_free(&r);
    ck_assert_double_lt(now() - begin, 20);
    close(silent), close(half), close(body), close(drops);
    expect_well(&w);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// A reply of some megabytes to who reads it byte by byte, or not at all.
START_TEST(slow_readers) {
    web w =
        web_open((const char *[]){MODEL, "-j1", "--outputs", "last_hidden_state", "--timeout", "2", NULL});
    char text[4000] = "{\"inputs\": [", byte;
    for (int i = 0; i < 24; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "%s\"a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q "
                 "r s t u v w x y z\"",
                 i ? ", " : "");
    strcat(text, "]}");
    int reads = web_connect(&w), never = web_connect(&w), gone = web_connect(&w), whole = web_connect(&w);
    send_request(reads, "/embed_all", text, "");
    send_request(never, "/embed_all", text, "");
    send_request(gone, "/embed_all", text, "");
    close(gone);
    send_request(whole, "/embed_all", text, "");
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(read(reads, &byte, 1), 1);
        if (i % 5 == 0) expect_well(&w);
    }
    http_reply r = http_read(whole);
    ck_assert_int_eq(r.status, 200);
    ck_assert_uint_gt(r.size, 1000000);
    http_free(&r);
    usleep(2500000); // their time is over
    char rest[65536];
    size_t got = 0;
    for (ssize_t n; (n = read(never, rest, sizeof rest)) > 0;) got += (size_t)n;
    ck_assert_uint_lt(got, 1000000);
    close(reads), close(never), close(whole);
    expect_well(&w);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// --- Wrong bytes

#define POST "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
static const struct {
    const char *bytes;
    int status, second; // of the replies; 0: the connection ends; -1: any
} sent[] = {
    {"\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n", -1, -1},
    {"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 200, 404},
    {POST "Content-Length: 18\r\n\r\n{\"inputs\": \"good\"}" POST "Content-Length: 2\r\n\r\n{}", 200, 422},
    {POST "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"inp\r\nd\r\nuts\": \"good\"}\r\n0\r\n\r\n", 200, -1},
    {POST "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"inp\r\nzz\r\n", -1, -1},
    {POST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nx", -1, -1},
    {POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 400, 0},
    {POST "Content-Length: 18\r\nContent-Length: 3\r\n\r\n{\"inputs\": \"good\"}", 400, 0},
    {"GET http://x/health HTTP/1.1\r\nHost: x\r\n\r\nGET HTTP://x HTTP/1.1\r\nHost: x\r\n\r\n", 200, 200},
    {POST "Content-Length: -1\r\n\r\nx", -1, -1},
    {POST "Content-Length: 99999999999999999999999\r\n\r\nx", -1, -1},
    {POST "Content-Length: abc\r\n\r\n{}", -1, -1},
    {POST "Content-Length: 4\r\n\r\n{}\xff\xfe", 400, -1},
    {POST "Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n", 413, -1},
    {"GET / HTTP/9.9\r\n\r\n", -1, -1},
    {"GET\r\n\r\n", -1, -1},
    {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", -1, -1}, // a TLS greeting, as far as a C string goes
    {"GET /%00%ff%zz/predict?a=b&c HTTP/1.1\r\nHost: x\r\n\r\n", 404, -1},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", -1, -1},
};

START_TEST(wrong_bytes) {
    web w = web_open((const char *[]){MODEL, "-j1", "--timeout", "2", NULL});
    for (size_t i = 0; i < sizeof sent / sizeof *sent; i++) {
        int fd = web_connect(&w);
        http_send(fd, sent[i].bytes, strlen(sent[i].bytes));
        http_reply r = http_read(fd), second = {0};
        if (sent[i].status >= 0) ck_assert_msg(r.status == sent[i].status, "%zu: status %d", i, r.status);
        if (sent[i].second >= 0) {
            second = http_read(fd);
            ck_assert_msg(second.status == sent[i].second, "%zu: second status %d", i, second.status);
        }
        http_free(&r);
        http_free(&second);
        close(fd);
    }
    expect_well(&w);
    // A head that never ends, and bytes of no kind.
    char noise[70000];
    unsigned x = 1;
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)((x = x * 1664525 + 1013904223) >> 24);
    for (int k = 0; k < 4; k++) {
        int fd = web_connect(&w);
        if (k) http_send(fd, "GET / HTTP/1.1\r\nX: ", k == 1 ? 19 : 5);
        http_send(fd, noise + k, sizeof noise - 4);
        close(fd);
    }
    expect_well(&w);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// Bodies beyond the limit: with their length said, and in chunks. The reply comes all the same.
START_TEST(large_bodies) {
    web w = web_open((const char *[]){MODEL, "-j1", "--payload-limit", "100000", NULL});
    size_t size = all_of_it ? 100u << 20 : 3u << 20;
    char *body = malloc(size), head[300];
    memset(body, 'a', size);
    for (int chunked = 0; chunked < 2; chunked++) {
        int fd = web_connect(&w);
        if (chunked)
            snprintf(head, sizeof head, POST "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", size);
        else
            snprintf(head, sizeof head, POST "Content-Length: %zu\r\n\r\n", size);
        http_send(fd, head, strlen(head));
        http_send(fd, body, size);
        if (chunked) http_send(fd, "\r\n0\r\n\r\n", 7);
        http_reply r = http_read(fd);
        ck_assert_int_eq(r.status, 413);
        ck_assert(strstr(r.body, "length limit exceeded") != NULL);
        http_free(&r);
        close(fd);
    }
    // Deep and long JSON within the limit.
    memset(body, '[', 99000);
    body[99000] = 0;
    http_reply r = http_post(&w, "/predict", body);
    ck_assert_int_eq(r.status, 400);
    http_free(&r);
    free(body);
    expect_well(&w);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

// One after the other, each in another way.
START_TEST(connections_in_turn) {
    int count = all_of_it ? 10000 : 400;
    web w = web_open((const char *[]){MODEL, "-j1", "--log", "none", "--max-connections", "64", NULL});
    for (int i = 0; i < count; i++) {
        int fd = web_connect(&w);
        if (i % 4 == 1) http_send(fd, POST, 20);
        if (i % 4 == 2) send_request(fd, "/predict", "{\"inputs\": \"good\"}", "");
        if (i % 4 == 3) {
            send_request(fd, "/predict", "{\"inputs\": \"good\"}", "");
            http_reply r = http_read(fd);
            ck_assert_int_eq(r.status, 200);
            http_free(&r);
        }
        close(fd);
    }
    expect_well(&w);
    ck_assert_int_eq(web_close(&w, SIGTERM), 0);
}
END_TEST

static Suite *clients_suite(void) {
    const web_case all[] = {{"batches", batches},
                            {"overload", overload},
                            {"shutdown", shutdown_loses_nothing},
                            {"slow_writers", slow_writers},
                            {"slow_readers", slow_readers},
                            {"wrong_bytes", wrong_bytes},
                            {"large_bodies", large_bodies},
                            {"connections", connections_in_turn}};
    return web_suite("serve_clients", all, sizeof all / sizeof *all);
}
int main(int argc, char **argv) {
    all_of_it = argc > 1 && !strcmp(argv[1], "--all");
    return suite_status(clients_suite());
}
