#include "frontend/hub/save/save.h"

#include <dirent.h>
#include <string.h>
#include <strings.h>

#include "frontend/hub/files/text.h"
#include "ir/output_file.h"

static bool find_dtype(saving *s) {
    static const struct {
        const char *name, *tensor, *config;
        elem e;
    } known[] = {{"f32", "F32", "float32", ELEM_F32},
                 {"f16", "F16", "float16", ELEM_F16},
                 {"bf16", "BF16", "bfloat16", ELEM_BF16}};
    const char *name = s->to->dtype ? s->to->dtype : "f32";
    for (int i = 0; i < 3; i++) {
        if (strcasecmp(name, known[i].name)) continue;
        s->dtype = known[i].tensor;
        s->config_dtype = known[i].config;
        s->e = known[i].e;
        return true;
    }
    return diag_error(s->d, "--save-dtype", "%s is not known; known are f32, f16, bf16", name);
}

// Every file of a tokenizer that Transformers may read.
static bool copy_tokenizer(saving *s) {
    static const char *const files[] = {"tokenizer.json",
                                        "tokenizer_config.json",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        "vocab.txt",
                                        "vocab.json",
                                        "merges.txt",
                                        "chat_template.jinja",
                                        "spiece.model",
                                        "sentencepiece.bpe.model",
                                        "spm.model",
                                        "tokenizer.model",
                                        "bpe.codes"};
    const char *given = s->from->tokenizer, *folder = given && hub_is_folder(given) ? given : s->from->folder;
    if (given && folder != given) {
        const char *name = strrchr(given, '/') ? strrchr(given, '/') + 1 : given;
        return save_copy(s, given, hub_path(s->a, s->weights, name));
    }
    bool apart = !hub_is_file(hub_path(s->a, folder, "tokenizer_config.json")) &&
                 !hub_is_file(hub_path(s->a, folder, "tokenizer.json")) && hub_is_folder(s->from->model);
    const char *to = apart ? s->to->folder : s->weights;
    if (apart) folder = s->from->model;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!save_copy(s, hub_path(s->a, folder, files[i]), hub_path(s->a, to, files[i]))) return false;
    return true;
}

// The Python files of a model with code of its own, which its config names by auto_map.
static bool copy_code(saving *s) {
    cJSON *root = hub_json_load(s->from->config->file, false, s->d);
    bool own = root && cJSON_GetObjectItemCaseSensitive(root, "auto_map");
    cJSON_Delete(root);
    DIR *dir = own ? opendir(s->from->folder) : NULL;
    bool ok = root != NULL;
    for (struct dirent *e; dir && ok && (e = readdir(dir));)
        if (hub_ends_with(e->d_name, ".py"))
            ok = save_copy(s, hub_path(s->a, s->from->folder, e->d_name),
                           hub_path(s->a, s->weights, e->d_name));
    if (dir) closedir(dir);
    return ok;
}

static bool write_card(saving *s) {
    const char *card = s->to->card;
    return !card ||
           output_file_text(hub_path(s->a, s->to->folder, "README.md"), card, strlen(card), true, s->d);
}

static bool save_all(saving *s) {
    if (!find_dtype(s) || !save_make_folder(s->to->folder, s->d)) return false;
    if (s->lora && !s->to->merged) {
        s->weights = s->to->folder;
        return copy_tokenizer(s) && save_config(s) && save_adapter(s) && write_card(s) &&
               save_adapter_weights(s);
    }
    const char *below = save_has_modules(s) ? save_transformer(s) : "";
    if (!below) return false;
    s->weights = *below ? hub_path(s->a, s->to->folder, below) : s->to->folder;
    if (*below && !save_make_folder(s->weights, s->d)) return false;
    return copy_tokenizer(s) && save_config(s) && copy_code(s) && (!save_has_modules(s) || save_modules(s)) &&
           write_card(s) && save_weights(s);
}

bool hub_save_folder(const hub_origin *from, const hub_save *to, diag *d) {
    saving s = {.from = from, .to = to, .a = arena_new(), .d = d, .lora = from->weights->lora};
    bool ok = save_all(&s);
    arena_free(s.a);
    return ok;
}
