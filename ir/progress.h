// How far long work has come, told to whoever wants to show it. The work itself never prints.
#ifndef BERTC_IR_PROGRESS_H
#define BERTC_IR_PROGRESS_H

#include <stddef.h>

// `what` names the stage ("weights"); `share` is how much of it is done, 0 to 1, or -1 where that is not
// known.
typedef struct progress_hook {
    void (*at)(void *user, const char *what, double share);
    void *user;
} progress_hook;

// NULL: nobody looks.
static inline void progress_at(const progress_hook *p, const char *what, double share) {
    if (p) p->at(p->user, what, share);
}

#endif
