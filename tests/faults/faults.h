// Allocations that fail on demand: ir/memory.c and runtime/memory.c, compiled with BERTC_FAULTS for the programs of
// this folder alone, ask fault_now() before each. The counters lie in memory that forked children share.
#ifndef BERTC_TESTS_FAULTS_H
#define BERTC_TESTS_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum fault_mode { FAULT_ONCE, FAULT_FROM_THEN_ON } fault_mode;

// Once a process, before it forks; false where there is no shared memory.
bool fault_open(void);
// What the next fault_start() arms: allocation `nth` (from 1) fails, and with FAULT_FROM_THEN_ON all after it.
void fault_plan(int64_t nth, fault_mode mode);
void fault_start(void);
void fault_stop(void);
// Since the plan was made: how many allocations were asked for, and whether one was made to fail.
int64_t fault_asked(void);
bool fault_struck(void);

bool fault_now(void);

#endif
