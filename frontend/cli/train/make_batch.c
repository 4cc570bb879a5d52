// A batch of a run: read from its file, and answered by the teacher.
#include "frontend/cli/train/run.h"

bool run_batch(train_run *r, train_set *s, const order_part *part, int64_t epoch, train_batch *out, arena *a,
               diag *d) {
    return batch_make(out, &r->batches, s, part, epoch, a, d) &&
           (!r->teacher.session || !out->texts || teacher_answer(&r->teacher, out, r->batches.weights, a, d));
}
