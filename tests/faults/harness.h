// A piece of work is done again and again, each time with another allocation made to fail, by a child process in an
// empty folder. It must end with status 0 and the same output as ever (the allocation could be spared), or with
// status 1, a line that says so, and nothing left over.
#ifndef BERTC_TESTS_FAULTS_HARNESS_H
#define BERTC_TESTS_FAULTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>

#define MOST_ARGS 16

typedef struct scenario {
    const char *name;
    // Of the command, up to NULL; "@" at the start of one stands for the folder of what setup() made. None:
    // `in_process` is called.
    const char *args[MOST_ARGS];
    // Calls fault_start() where it begins; the exit status, 1 for an error that was as it should be.
    int (*in_process)(const char *fixtures);
    int points;             // places at which allocations fail where not all are asked for
    bool says_times;        // its standard output is never the same
    bool many;              // a line of its input has an error of its own
    const char *may_remain; // the file that an end by error may leave, or its .partial
} scenario;

// What stands in a file, with a NUL behind it: "" where there is none. The caller frees; size may be NULL.
char *harness_read(const char *path, size_t *size);
// Runs the command unharmed, in `folder`; whether its status was 0.
bool harness_succeeds(const char *folder, const char *fixtures, const char *const *args);
// The numbers of failures found; each is printed.
int harness_check(const scenario *s, const char *fixtures, bool all);

extern const scenario library_scenarios[];
extern const int library_scenario_count;

#endif
