#include "frontend/cli/run/reading.h"

#include <string.h>

static bool side_of(const char *word, bertc_truncation_side *side) {
    if (!strcmp(word, "left"))
        *side = BERTC_TRUNCATION_LEFT;
    else if (!strcmp(word, "right"))
        *side = BERTC_TRUNCATION_RIGHT;
    else
        return false;
    return true;
}

bool truncation_of(const char *word, bertc_truncation *out, bertc_truncation_side *side) {
    static const struct {
        const char *word;
        bertc_truncation how;
    } known[] = {{"longest", BERTC_TRUNCATE_LONGEST_FIRST},
                 {"first", BERTC_TRUNCATE_ONLY_FIRST},
                 {"second", BERTC_TRUNCATE_ONLY_SECOND}};
    *side = BERTC_TRUNCATION_DEFAULT;
    *out = word ? BERTC_TRUNCATE_LONGEST_FIRST : BERTC_TRUNCATE_NEVER;
    if (!word || !*word || side_of(word, side)) return true;
    size_t n = strcspn(word, "-");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].word) != n || memcmp(word, known[i].word, n)) continue;
        *out = known[i].how;
        return !word[n] || side_of(word + n + 1, side);
    }
    return false;
}

bool long_texts_of(const char *how, bool *windows, bertc_truncation *out, bertc_truncation_side *side) {
    if (!how) how = "error";
    size_t n = strlen("truncate");
    *windows = !strcmp(how, "window");
    if (*windows || !strcmp(how, "error")) return true;
    if (strncmp(how, "truncate", n) != 0 || (how[n] && how[n] != '-')) return false;
    return truncation_of(how[n] ? how + n + 1 : "", out, side);
}

void reading_options_add(option_table *t, reading *r, const char *long_help) {
    options_add(
        t, (option_row){"plain-text", 0, OPTION_FLAG, NULL,
                        "read [SEP], </s> and their like in a text as plain text, never as special tokens",
                        &r->plain_text});
    options_add(t, (option_row){"long", 0, OPTION_TEXT, "HOW", long_help, &r->long_texts});
    options_add(t, (option_row){"stride", 0, OPTION_INT, "N",
                                "with --long window: tokens that neighbouring windows share (default 128, at "
                                "most half of a window)",
                                &r->stride, 0});
    options_add(t, (option_row){"max-tokens", 0, OPTION_INT, "N",
                                "the most tokens of a text or a window (default: what the model takes)",
                                &r->max_tokens, 1});
}

void reading_prompts_add(option_table *t, reading *r, const char *name_help) {
    options_add(t, (option_row){"prompt-name", 0, OPTION_TEXT, "NAME", name_help, &r->prompt_name});
    options_add(t, (option_row){"prompt", 0, OPTION_TEXT, "TEXT",
                                "put this prompt before each text (\"\": no prompt)", &r->prompt});
}

int reading_check(const option_table *t, reading *r, bool windows) {
    if (r->long_texts && !long_texts_of(r->long_texts, &r->windows, &r->truncation, &r->side))
        return usage_error(t,
                           "--long: '%s' is none of error, truncate, truncate-first, truncate-second (and "
                           "-left or -right), window",
                           r->long_texts);
    if (r->prompt && r->prompt_name) return usage_error(t, "takes --prompt or --prompt-name, not both");
    if (r->stride >= 0 && !(r->long_texts ? r->windows : windows))
        return usage_error(t, "--stride goes with --long window");
    return -1;
}

void reading_apply(const reading *r, bool windows, bertc_text_options *to) {
    to->truncation = r->truncation;
    to->truncation_side = r->side;
    to->plain_text = r->plain_text;
    to->max_tokens = r->max_tokens;
    to->prompt_name = r->prompt_name;
    to->prompt = r->prompt;
    to->windows = windows;
    to->stride = r->stride > 0 ? (int)r->stride : r->stride ? 0 : -1; // there 0 is the default, and -1 none
}
