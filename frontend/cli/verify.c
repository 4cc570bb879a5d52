// Compiled code against the reference evaluator, kernel by kernel, and the fused graph against the graph as
// it was read.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "frontend/cli/calibrate.h"
#include "frontend/cli/forms.h"
#include "frontend/cli/verify.h"
#include "frontend/hub/files/file.h"

#define VALUES_SHOWN 20

typedef struct verify_options {
    build_options build;
    form_choice out;
    bool no_compile;
} verify_options;

// `against`: NULL, or what a row that isn't text says of it.
static void print_row(const kernel_check *r, const char *fallback, double tolerance, const char *against,
                      bool lowered, form_choice *out) {
    const char *name = r->name ? r->name : fallback;
    char cost[32] = "";
    if (lowered && r->cost > 0) snprintf(cost, sizeof cost, "  %.2f %%", 100 * r->cost);
    if (out->form != FORMAT_TEXT) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", name);
        json_figure(o, "error", r->error);
        json_figure(o, "largest", r->largest);
        cJSON_AddNumberToObject(o, "at", (double)r->at);
        cJSON_AddItemToObject(o, "against", against ? cJSON_CreateString(against) : cJSON_CreateNull());
        json_figure(o, "cost", lowered && r->cost > 0 ? r->cost : NAN);
        form_row(out, o);
        return;
    }
    printf("%-36s %10.2e %10.3g  %" PRId64 "%s%s\n", name, r->error, r->largest, r->at, cost,
           verify_row_fails(r, tolerance) ? "  WRONG"
           : r->unfinite                  ? "  not all finite"
                                          : "");
}

static bool is_lowered(const verify_options *o) {
    return build_precision(&o->build) != PRECISION_F32;
}

// Compiled code against the evaluator; false where a kernel is beyond the tolerance. *seen: how many ran;
// `summary`: of the worst.
static bool report_kernels(const check *c, bool lowered, form_choice *out, int *seen, char summary[200],
                           diag *d) {
    const kernel_check *worst = NULL;
    char fallback[32], worst_name[160] = "";
    for (value v = 0; v < c->graph->count; v++) {
        const kernel_check *r = &c->rows[v];
        if (!r->seen) continue;
        snprintf(fallback, sizeof(fallback), "%%%d", v);
        print_row(r, fallback, VERIFY_TOLERANCE, NULL, lowered, out);
        *seen += graph_node(c->graph, v)->op != OP_result;
        if (worst && verify_row_excess(r, VERIFY_TOLERANCE) <= verify_row_excess(worst, VERIFY_TOLERANCE))
            continue;
        worst = r;
        snprintf(worst_name, sizeof worst_name, "%s", r->name ? r->name : fallback);
    }
    if (!worst) return diag_error(d, NULL, "no kernel ran");
    snprintf(summary, 200, "%d kernels, largest error %.2e of %.3g in %.100s", *seen, worst->error,
             worst->largest, worst_name);
    return !verify_row_fails(worst, VERIFY_TOLERANCE) ||
           diag_error(d, NULL, "%s: compiled code differs by %.2e from the evaluator at element %" PRId64,
                      worst_name, worst->error, worst->at);
}

// The graph against the checkpoint's own; false where an output, or a value of --graph, differs.
static bool report_own(const verify_options *o, const own_graph *own, form_choice *out, diag *d) {
    const char *file = o->build.graph;
    // A lowered graph is another one: how far it is from float32 is shown, and nothing that fails.
    bool lowered = is_lowered(o);
    double tolerance = lowered ? INFINITY : file ? OWN_TOLERANCE : VERIFY_TOLERANCE;
    bool ok = true;
    bool known = lowered && !o->no_compile; // the kernels' rows have said it
    if (own->differ && out->form == FORMAT_TEXT && !known)
        printf("%-36s %10s %10s  %s\n", "differs from the checkpoint's graph", "by", "largest", "at element");
    for (int i = 0; i < own->differ && !known && (out->form != FORMAT_TEXT || lowered || i < VALUES_SHOWN);
         i++)
        print_row(&own->values[i], NULL, lowered ? INFINITY : OWN_TOLERANCE, "checkpoint", lowered, out);
    for (int i = 0; i < own->output_count; i++)
        print_row(&own->outputs[i], "output", tolerance, file || lowered ? "checkpoint" : NULL, lowered, out);
    if (own->differ && !lowered)
        ok = diag_error(d, file,
                        "%s differs by %.2e at element %" PRId64
                        " from what the checkpoint's own graph gives, first of %d values that do",
                        own->values[0].name, own->values[0].error, own->values[0].at, own->differ);
    for (int i = 0; i < own->output_count; i++) {
        const kernel_check *r = &own->outputs[i];
        if (!verify_row_fails(r, tolerance)) continue;
        ok = file ? diag_error(d, file, "output %s differs by %.2e from the checkpoint's own graph's",
                               r->name, r->error)
                  : diag_error(d, NULL, "%s: the fused graph differs by %.2e from the graph as read", r->name,
                               r->error);
    }
    return ok;
}

static void report(verify_options *o, const check *c, const own_graph *own, diag *d) {
    char summary[200] = "";
    int seen = 0;
    if (o->out.form == FORMAT_TEXT && !o->no_compile)
        printf("%-36s %10s %10s  %s\n", "kernel", "error", "largest",
               is_lowered(o) ? "at element, costs" : "at element");
    bool ok = o->no_compile || report_kernels(c, is_lowered(o), &o->out, &seen, summary, d);
    ok &= report_own(o, own, &o->out, d);
    form_end(&o->out);
    if (!ok || o->out.form != FORMAT_TEXT) return;
    if (*summary) puts(summary);
    if (o->build.graph && !is_lowered(o))
        printf("%d values and the outputs are what the checkpoint's own graph gives, largest error %.2e\n",
               own->seen, own->largest);
}

static bool verify_graph(verify_options *o, opened *m, diag *d) {
    check c;
    inputs x;
    tensor *results;
    own_graph own;
    bool ok = verify_run(m, &o->build, !o->no_compile, &c, &x, &results, d) &&
              verify_own_graph(&o->build, m->build.calibration, &x, &c, results,
                               o->build.graph || is_lowered(o), &own, d);
    progress_line_clear(&m->build.line);
    if (ok) report(o, &c, &own, d);
    return ok;
}

static void verify(const char *path, verify_options *o, diag *d) {
    opened m = {0};
    build_options *b = &o->build;
    b->hub.model = path;
    if (!b->lengths.count && !b->graph) b->lengths = (int_list){1, {VERIFY_TOKENS}};
    if (o->no_compile) b->stops = true, b->last = STAGE_PACKED;
    arena *a = arena_new();
    if (calibrate_options(b, path, a, d) &&
        (o->no_compile ? build_open(&m.build, b, d) : opened_open(&m, path, b, d)))
        verify_graph(o, &m, d);
    opened_close(&m);
    arena_free(a);
}

int command_verify(int argc, char **argv) {
    verify_options o = {0};
    option_table t = {.usage = "bertc verify MODEL [OPTION]...",
                      .summary =
                          "Compiles a checkpoint in memory, runs it on one random text (16 tokens unless "
                          "--seq says otherwise), and\n"
                          "compares the result of every kernel with the reference evaluator's. Then it "
                          "compares the graph's outputs (with\n"
                          "--graph all of its values) with those of the graph as it was read.",
                      .example = "bertc verify examples/models/mini-sst2"};
    form_options_add(&t, &o.out, "one JSON object per row", true);
    options_add(
        &t, (option_row){
                "no-compile", 0, OPTION_FLAG, NULL,
                "don't compile: evaluate the rewritten graph and the graph as it was read, and compare them",
                &o.no_compile});
    build_options_add(&t, &o.build, "native");
    arguments rest;
    int status = options_parse(&t, argc, argv, &rest);
    if (status >= 0) return status;
    if (rest.count != 1) return usage_error(&t, "needs one MODEL");
    status = form_options_check(&t, &o.out, true, NULL);
    if (status >= 0) return status;
    if (o.build.lengths.count > 1) return usage_error(&t, "--seq: one length");
    diag d;
    diag_init(&d);
    d.subject = rest.v[0];
    const char *kind = is_checkpoint(rest.v[0]) ? NULL : hub_file_kind(rest.v[0]);
    if (kind)
        diag_error(&d, rest.v[0], "is no checkpoint, but %s", kind);
    else if (hub_is_there(rest.v[0], &d) && !is_checkpoint(rest.v[0]))
        diag_error(&d, rest.v[0], "is no checkpoint: a folder, or weights as .safetensors or .st");
    else if (!diag_failed(&d))
        verify(rest.v[0], &o, &d);
    flush_stdout(&d);
    return finish(&d);
}
