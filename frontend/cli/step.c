#include "frontend/cli/step.h"

#include "frontend/cli/memory.h"

void step_options_add(option_table *t, step_options *o) {
    *o = (step_options){.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .rates.decay = 1};
    options_add(t, (option_row){"weight-decay", 0, OPTION_NUMBER, "X",
                                "AdamW's weight decay, of all parameters but biases and norms (default 0)",
                                &o->weight_decay});
    options_add(t, (option_row){"adam-beta1", 0, OPTION_NUMBER, "X", "AdamW's first beta (default 0.9)",
                                &o->beta1, .ceiling = 0.999999});
    options_add(t, (option_row){"adam-beta2", 0, OPTION_NUMBER, "X", "AdamW's second beta (default 0.999)",
                                &o->beta2, .ceiling = 0.99999999});
    options_add(t, (option_row){"adam-epsilon", 0, OPTION_NUMBER, "X", "AdamW's epsilon (default 1e-8)",
                                &o->epsilon, .floor = 1e-30});
    options_add(
        t, (option_row){"freeze", 0, OPTION_TEXT, "NAMES",
                        "leave these parameters as they are, by parts of their names: embeddings,layer.0-7",
                        &o->rates.frozen});
    options_add(t, (option_row){"layerwise-lr-decay", 0, OPTION_NUMBER, "X",
                                "each layer learns at the rate of the layer above it times X (default 1)",
                                &o->rates.decay, .floor = 1e-6, .ceiling = 1});
    options_add(t, (option_row){"memory", 0, OPTION_TEXT, "SIZE", MEMORY_HELP, &o->memory});
}

bool step_options_given(const step_options *o) {
    bool usual = o->beta1 == 0.9 && o->beta2 == 0.999 && o->epsilon == 1e-8 && o->weight_decay == 0;
    return !usual || o->rates.frozen || o->rates.decay < 1 || o->memory;
}

optimizer_options step_optimizer(step_options *o) {
    return (optimizer_options){.beta1 = o->beta1,
                               .beta2 = o->beta2,
                               .epsilon = o->epsilon,
                               .weight_decay = o->weight_decay,
                               .rate = tensor_rate,
                               .context = &o->rates};
}
