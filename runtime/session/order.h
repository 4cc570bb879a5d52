// In which order the threads of a session take the tasks of a phase that streams weights.
//
//                 columns of weights ->                a kernel's numbers       the order of four blocks of
//                                                                               16 rows, three of columns
//     blocks     +-----+-----+-----+                     0   1   2                  0   4   8
//     of rows    |     |     |     |                     3   4   5                  1   5   9
//       |        |     |     |     |                     6   7   8                  2   6  10
//       v        +-----+-----+-----+                     9  10  11                  3   7  11
//
// A thread's run of neighbours reads a block of columns once for all the rows that are together, and a phase can be
// cut into many tasks for its threads to share without reading weights more often.
#ifndef BERTC_ORDER_H
#define BERTC_ORDER_H

#include <stdint.h>

// Rows that meet weights together: their activations stay in a core's own cache meanwhile.
#define ORDER_ROWS 64

// The kernel's number of the task in place `at`, of a phase of `blocks` blocks of `unit` rows, each `inner` tasks.
static inline int64_t order_task(int64_t at, int64_t blocks, int64_t inner, int64_t unit) {
    int64_t together = unit < ORDER_ROWS ? ORDER_ROWS / unit : 1;
    int64_t first = at / (together * inner) * together, left = at - first * inner;
    if (together > blocks - first) together = blocks - first;
    return (first + left % together) * inner + left / together;
}

#endif
