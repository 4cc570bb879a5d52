// bench_memory: the most anonymous memory that a command holds while it runs (mapped files don't count), and its time.
//
//   bench_memory LOG COMMAND [ARGUMENT]...
//
// The command's own output goes into the file LOG.
#include <stdio.h>

#include "bench.h"

int main(int argc, char **argv) {
    diag d;
    diag_init(&d);
    run_usage u;
    if (argc < 3) {
        fprintf(stderr, "usage: bench_memory LOG COMMAND [ARGUMENT]...\n");
        return EXIT_USAGE;
    }
    bool ok = run_command((const char *const *)(argv + 2), argv[1], &u, &d);
    if (ok) printf("%.1f MB of anonymous memory, %.2f s\n", (double)u.anonymous_kb * 1.024e-3, u.seconds);
    diag_print(&d, stderr);
    diag_free(&d);
    return ok ? EXIT_OK : EXIT_FAILED;
}
