#include "runtime/load/cpu.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/bertc.h"

static int affinity_count(void) {
    for (int cpus = 1024; cpus <= 1 << 20; cpus *= 4) { // the kernel refuses a set smaller than its own
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        if (!set) return 1;
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0) return count;
    }
    return 1;
}

// Reads "quota period" or "max period" (cgroup v2), or two files with one number each (v1). Returns CPUs
// rounded up, INT_MAX: no limit.
static int quota_of(const char *quota_path, const char *period_path) {
    char quota_text[64] = "";
    long long quota = -1, period = 0;
    FILE *f = fopen(quota_path, "re");
    if (!f) return INT_MAX;
    int n = fscanf(f, "%63s %lld", quota_text, &period);
    fclose(f);
    if (n < 1 || strcmp(quota_text, "max") == 0) return INT_MAX;
    quota = strtoll(quota_text, NULL, 10);
    if (period_path && (f = fopen(period_path, "re"))) {
        if (fscanf(f, "%lld", &period) != 1) period = 0;
        fclose(f);
    }
    if (quota <= 0 || period <= 0 || quota / period >= INT_MAX) return INT_MAX;
    return (int)((quota + period - 1) / period);
}

// The tightest limit from this process's cgroup up to the root, of both versions.
static int cgroup_count(void) {
    int least = INT_MAX;
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f) return least;
    char line[PATH_MAX], quota[2 * PATH_MAX], period[2 * PATH_MAX];
    while (fgets(line, sizeof line, f)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        bool v2 = names[1] == 0;
        if (!v2 && !strstr(names, "cpu")) continue;
        for (;;) {
            if (v2)
                snprintf(quota, sizeof quota, "/sys/fs/cgroup%s/cpu.max", path);
            else
                snprintf(quota, sizeof quota, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us", path);
            snprintf(period, sizeof period, "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", path);
            int count = quota_of(quota, v2 ? NULL : period);
            if (count < least) least = count;
            char *up = strrchr(path, '/');
            if (!up) break;
            *up = 0; // "" is the root, which a container sees as its own
        }
    }
    fclose(f);
    return least;
}

int cpu_allowed(void) {
    int a = affinity_count(), c = cgroup_count();
    return a < c ? a : c;
}

int bertc_cpu_count(void) {
    return cpu_allowed();
}
