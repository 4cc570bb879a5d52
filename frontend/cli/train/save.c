// The model, the optimiser's states and the run's state, to folders and back.
#include "frontend/cli/train/card.h"
#include "frontend/cli/train/checkpoint.h"
#include "frontend/cli/train/intact.h"
#include "frontend/cli/train/run.h"
#include "frontend/cli/train/tensor_file.h"

// The model's file in a checkpoint.
static const char *model_name(const train_run *r) {
    return r->o->lora.rank ? "adapter_model.safetensors" : "model.safetensors";
}

// A model is written tensor by tensor; what the last step left is not needed meanwhile.
static bool make_room(train_run *r, diag *d) {
    bertc_error e;
    return bertc_trainer_trim(r->trainer, &e) || runtime_failed(d, &e);
}

static bool write_model(train_run *r, const char *folder, const char *dtype, bool merged, diag *d) {
    arena *a = arena_new();
    const hub_model *model = &r->opened.build.model;
    parameter_source from = {r->trainer, &model->source};
    hub_save save = {.folder = folder,
                     .dtype = dtype,
                     .card = card_text(r, a),
                     .read = tensor_read_parameter,
                     .user = &from,
                     .merged = merged};
    bool ok = hub_save_model(model, &save, d);
    arena_free(a);
    return ok;
}

static bool fill(void *user, const char *folder, diag *d) {
    train_run *r = user;
    train_state state = r->state;
    state.files = NULL;
    bool ok = write_model(r, folder, NULL, false, d) &&
              tensor_file_write(r->trainer, checkpoint_file(folder, CHECKPOINT_OPTIMIZER).text,
                                checkpoint_file(folder, model_name(r)).text, d) &&
              (state.files = intact_files(folder, d)) &&
              state_write(checkpoint_file(folder, CHECKPOINT_STATE).text, &state, d);
    cJSON_Delete(state.files);
    return ok;
}

bool save_checkpoint(train_run *r, diag *d) {
    const char *out = r->o->output;
    report_clear(&r->report);
    if (!train_log_sync(&r->log, d) || !make_room(r, d)) return false;
    r->state.log_bytes = r->log.bytes;
    if (!checkpoint_write(out, r->state.step, fill, r, d)) return false;
    if (r->o->save_limit) checkpoint_prune(out, r->o->save_limit, r->o->load_best ? r->state.best_step : -1);
    return true;
}

static bool load(train_run *r, int64_t step, bool states, diag *d) {
    checkpoint_path folder = checkpoint_folder(r->o->output, step);
    return tensor_file_read(r->trainer, checkpoint_file(folder.text, CHECKPOINT_OPTIMIZER).text,
                            checkpoint_file(folder.text, model_name(r)).text, states, d);
}

bool load_checkpoint(train_run *r, int64_t step, diag *d) {
    return load(r, step, true, d);
}

bool save_result(train_run *r, diag *d) {
    bool other = r->o->load_best && r->state.best_step && r->state.best_step != r->state.step;
    if (other && !load(r, r->state.best_step, false, d)) return false;
    r->state.log_bytes = r->log.bytes;
    r->state.finished = true;
    return train_log_sync(&r->log, d) && make_room(r, d) &&
           write_model(r, r->o->output, r->o->save_dtype, r->o->lora.merged, d) &&
           state_write(checkpoint_file(r->o->output, CHECKPOINT_STATE).text, &r->state, d);
}
