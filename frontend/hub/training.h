// What training changes of an opened model: its head, labels, states and loss.
#ifndef BERTC_HUB_TRAINING_H
#define BERTC_HUB_TRAINING_H

#include "frontend/hub/encoder/weights.h"

// The option that named the task, for messages: "--train".
const char *hub_training_option(const hub_training *t);
// The head that the task is for; *head is one that was asked for, or NULL.
bool hub_training_head(const hub_training *t, bool adapters, const char **head, diag *d);
// After the config is read, before the weights are: the labels and what they are for; how new tensors are drawn.
bool hub_training_config(const hub_training *t, arena *a, hub_checkpoint *c, hub_config *config,
                         hub_fresh *fresh, diag *d);
// After the graph is built: the loss, and states in place of constants.
bool hub_training_graph(const hub_training *t, const hub_weights *w, const hub_config *config, graph *g,
                        diag *d);
// Notes which tensors were drawn.
void hub_training_note(const hub_fresh *fresh, const char *where, uint64_t seed, diag *d);

#endif
