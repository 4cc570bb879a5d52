// How texts are read, by options that `bertc run` and `bertc evaluate` share: texts that are too long, windows, prompts.
#ifndef BERTC_CLI_READING_H
#define BERTC_CLI_READING_H

#include "frontend/cli/options.h"
#include "runtime/bertc.h"

typedef struct reading {
    const char *long_texts, *prompt, *prompt_name; // NULL: not given
    int64_t stride;                                // -1: not given
    int64_t max_tokens;                            // 0: not given
    bool plain_text;
    // What --long says, by reading_check; where it isn't given, as the command sets them.
    bool windows;
    bertc_truncation truncation;
    bertc_truncation_side side;
} reading;

// --plain-text, --long, --stride and --max-tokens; *r holds what counts without them. `long_help`: that of --long, with the command's default.
void reading_options_add(option_table *t, reading *r, const char *long_help);
// --prompt-name and --prompt. `name_help`: that of --prompt-name.
void reading_prompts_add(option_table *t, reading *r, const char *name_help);
// -1, or the exit status of a usage error. `windows`: texts may be read in windows where --long isn't given, too.
int reading_check(const option_table *t, reading *r, bool windows);
// Sets what the options say of a call; `windows`: is it by windows?
void reading_apply(const reading *r, bool windows, bertc_text_options *to);

// NULL: never; "" or "longest", "first", "second", each with "-left" or "-right" behind it; "left", "right". False for
// other words.
bool truncation_of(const char *word, bertc_truncation *out, bertc_truncation_side *side);
// Of --long: "error" (NULL too), "window", or "truncate" with such words behind it. False for other words.
bool long_texts_of(const char *how, bool *windows, bertc_truncation *out, bertc_truncation_side *side);

#endif
