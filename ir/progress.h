// Progress of long work. The work calls a hook and never prints itself.
#ifndef BERTC_IR_PROGRESS_H
#define BERTC_IR_PROGRESS_H

#include <stddef.h>

// `what` names the stage ("weights"). `share` is how much of it is done: 0 to 1, or -1 if that is not known.
typedef struct progress_hook {
    void (*at)(void *user, const char *what, double share);
    void *user;
} progress_hook;

// Does nothing if `p` is NULL.
static inline void progress_at(const progress_hook *p, const char *what, double share) {
    if (p) p->at(p->user, what, share);
}

#endif
