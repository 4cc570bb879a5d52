// How long texts may wait for others, where nobody says: learnt from how long the texts before them took.
//
// Texts arrive at random, so some find an idle model and some a queue. Where queues are the rule, a call that is not full waits a
// little: until its texts took some half of the time of the slowest of the last minute. Calls are fuller then, and the times of
// texts more alike. Who asks one text after the other finds no queue, and so never waits.
#ifndef BERTC_CLI_PACE_H
#define BERTC_CLI_PACE_H

#include <stdint.h>

enum { PACE_TEXTS = 512 };

// Of one model; all zero at first. Only the engine's thread uses it.
typedef struct pace {
    struct {
        double at, took;  // seconds: when it was answered; behind other calls, and in its own
    } texts[PACE_TEXTS];  // the last ones
    int64_t count;        // of all texts so far
    int64_t sorted;       // `count` when `slow` was found
    double slow;          // what one of a hundred took longer than; 0: too few texts
    double token, tokens; // running means: seconds of a token in calls, and tokens of a text
} pace;

// A text was answered at `at`: it waited `behind` seconds while other calls ran, and its own took `seconds` for `all` tokens,
// `own` of them its own.
void pace_note(pace *p, double at, double behind, double seconds, int64_t all, int64_t own);
// How many seconds the oldest of some texts, `tokens` in all, may have waited when their call begins.
double pace_wait(pace *p, double now, int64_t tokens);

#endif
