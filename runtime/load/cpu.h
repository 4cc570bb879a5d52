// How many CPUs this process may use.
#ifndef BERTC_CPU_H
#define BERTC_CPU_H

// CPUs that this process may use: its affinity mask, and the cgroup's limit (v1 or v2), rounded up. At
// least 1.
int cpu_allowed(void);

#endif
