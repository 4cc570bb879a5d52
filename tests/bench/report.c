#include <cjson/cJSON.h>
#include <string.h>

#include "bench.h"

static const contender_kind peer_columns[] = {ORT_EXPORTER, ORT_FUSED,   ORT_INT8_S8,
                                              ORT_INT8_U8,  TORCH_EAGER, TORCH_INDUCTOR};
#define PEER_COLUMNS ((int)(sizeof(peer_columns) / sizeof(peer_columns[0])))

static bool has_column(const bench_options *o, contender_kind kind) {
    bool torch = kind == TORCH_EAGER || kind == TORCH_INDUCTOR;
    return o->found & (kind == TORCH_EAGER ? PEER_EAGER : torch ? PEER_INDUCTOR : PEER_ORT);
}

void report_head(const bench_options *o) {
    if (o->json) return;
    printf("| %-15s | %7s | %9s | %8s | %8s | %6s | %8s | %7s |", "row", "threads", "bertc ms", "GFLOP/s",
           "peak", "% peak", "GB/s", "% bound");
    for (int i = 0; i < PEER_COLUMNS; i++) {
        if (has_column(o, peer_columns[i])) printf(" %14s |", contender_names[peer_columns[i]]);
    }
    printf(" %6s | %6s | %-24s |\n| --------------- | ------- | --------- | -------- | -------- | ------ | "
           "-------- | ------- |",
           "x ORT", "x best", "per token, against");
    for (int i = 0; i < PEER_COLUMNS; i++) {
        if (has_column(o, peer_columns[i])) printf(" -------------- |");
    }
    printf(" ------ | ------ | ------------------------ |\n");
}

// Of all peers, 0: none.
static double best_peer(const measured *m) {
    double best = 0;
    for (int i = 0; i < m->count; i++) {
        const contender *c = &m->contenders[i];
        bool is_peer = c->kind != BERTC && c->kind != BESIDE;
        if (is_peer && (best == 0 || c->median < best)) best = c->median;
    }
    return best;
}

// bertc's time of a token against that of the row beside; 0: there is none.
static double against_beside(const measured *m) {
    const contender *own = measured_find(m, BERTC), *b = measured_find(m, BESIDE);
    if (!b) return 0;
    return own->median / (double)row_tokens(m->row) / (b->median / (double)row_tokens(b->row));
}

static void report_text(const bench_options *o, const measured *m) {
    const contender *own = measured_find(m, BERTC), *ort = measured_best_ort(m);
    double rate = m->flops / own->median * 1e-6, best = best_peer(m);
    printf("| %-15s | %7d | %9.3f | %8.1f | %8.1f | %6.1f | %8.1f | %7.1f |", m->row->name, m->threads,
           own->median, rate, m->peak, 100 * rate / m->peak, m->read_gbs, 100 * m->bound / own->median);
    for (int i = 0; i < PEER_COLUMNS; i++) {
        const contender *c = measured_find(m, peer_columns[i]);
        if (!has_column(o, peer_columns[i])) continue;
        if (c)
            printf(" %14.3f |", c->median);
        else
            printf(" %14s |", "");
    }
    if (ort)
        printf(" %6.2f |", ort->median / own->median);
    else
        printf(" %6s |", "");
    if (best > 0)
        printf(" %6.2f |", best / own->median);
    else
        printf(" %6s |", "");
    char beside[32] = "";
    if (m->row->beside) snprintf(beside, sizeof(beside), "%.3f of %s", against_beside(m), m->row->beside);
    printf(" %-24s |\n", beside);
}

static cJSON *contender_json(const measured *m, const contender *c) {
    double flops = row_flops(c->row, &m->sizes);
    double rate = flops / c->median * 1e-6;
    cJSON *j = cJSON_CreateObject();
    cJSON_AddStringToObject(j, "name", contender_names[c->kind]);
    cJSON_AddNumberToObject(j, "milliseconds", c->median);
    cJSON_AddNumberToObject(j, "lower_quartile", c->low);
    cJSON_AddNumberToObject(j, "upper_quartile", c->high);
    cJSON_AddNumberToObject(j, "rounds", (double)c->count);
    cJSON_AddNumberToObject(j, "load_milliseconds", c->peer.load_ms);
    if (row_trains(c->row)) cJSON_AddNumberToObject(j, "anonymous_megabytes", (double)c->anonymous_kb / 1e3);
    if (c->kind == BESIDE) return j;
    cJSON_AddNumberToObject(j, "gflops", rate);
    cJSON_AddNumberToObject(j, "percent_of_peak", 100 * rate / m->peak);
    if (c->kind != BERTC || !row_is(m->row, "f32")) cJSON_AddNumberToObject(j, "difference", c->difference);
    return j;
}

static void report_json(const measured *m) {
    const contender *own = measured_find(m, BERTC), *ort = measured_best_ort(m);
    double best = best_peer(m);
    cJSON *j = cJSON_CreateObject();
    cJSON_AddStringToObject(j, "row", m->row->name);
    cJSON_AddNumberToObject(j, "threads", m->threads);
    cJSON_AddNumberToObject(j, "texts", m->row->texts);
    cJSON_AddNumberToObject(j, "length", (double)row_length(m->row));
    cJSON_AddNumberToObject(j, "tokens", (double)row_tokens(m->row));
    cJSON_AddStringToObject(j, "isa", m->isa);
    cJSON_AddStringToObject(j, "dtype", m->row->build->dtype ? m->row->build->dtype : "f32");
    cJSON_AddNumberToObject(j, "gflop", m->flops * 1e-9);
    cJSON_AddNumberToObject(j, "peak_gflops", m->peak);
    cJSON_AddNumberToObject(j, "peak_lower_quartile", m->peak_low);
    cJSON_AddNumberToObject(j, "peak_upper_quartile", m->peak_high);
    cJSON_AddNumberToObject(j, "attention_peak_gflops", m->attention_peak);
    cJSON_AddNumberToObject(j, "read_gbs", m->read_gbs);
    cJSON_AddNumberToObject(j, "bound_milliseconds", m->bound);
    cJSON_AddNumberToObject(j, "percent_of_bound", 100 * m->bound / own->median);
    cJSON *list = cJSON_AddArrayToObject(j, "contenders");
    for (int i = 0; i < m->count; i++) cJSON_AddItemToArray(list, contender_json(m, &m->contenders[i]));
    if (ort) cJSON_AddNumberToObject(j, "times_best_ort", ort->median / own->median);
    if (best > 0) cJSON_AddNumberToObject(j, "times_best_peer", best / own->median);
    if (m->row->beside) {
        cJSON_AddStringToObject(j, "beside", m->row->beside);
        cJSON_AddNumberToObject(j, "token_time_against_beside", against_beside(m));
    }
    char *text = cJSON_PrintUnformatted(j);
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(j);
}

void report_row(const bench_options *o, const measured *m) {
    if (o->json)
        report_json(m);
    else
        report_text(o, m);
    fflush(stdout);
}

// --- Steps of training

void report_training_head(const bench_options *o) {
    if (o->json) return;
    printf("\n| %-18s | %7s | %9s | %8s | %8s | %6s | %6s | %11s | %6s | %8s | %5s | %-20s |\n|%s\n",
           "step of training", "threads", "bertc ms", "GFLOP/s", "peak", "% peak", "MB", "torch-eager",
           "% peak", "MB", "x", "against",
           " ------------------ | ------- | --------- | -------- | -------- | ------ | ------ | ----------- "
           "| ------ "
           "| -------- | ----- | -------------------- |");
}

static void report_training_text(const measured *m) {
    const contender *own = measured_find(m, BERTC), *torch = measured_find(m, TORCH_EAGER);
    double rate = m->flops / own->median * 1e-6;
    printf("| %-18s | %7d | %9.2f | %8.1f | %8.1f | %6.1f | %6.0f |", m->row->name, m->threads, own->median,
           rate, m->peak, 100 * rate / m->peak, (double)own->anonymous_kb / 1e3);
    if (torch)
        printf(" %11.2f | %6.1f | %8.0f | %5.2f |", torch->median,
               100 * m->flops / torch->median * 1e-6 / m->peak, (double)torch->anonymous_kb / 1e3,
               torch->median / own->median);
    else
        printf(" %11s | %6s | %8s | %5s |", "", "", "", "");
    char beside[32] = "";
    if (m->row->beside) snprintf(beside, sizeof(beside), "%.3f of %s", against_beside(m), m->row->beside);
    printf(" %-20s |\n", beside);
}

void report_training(const bench_options *o, const measured *m) {
    if (o->json)
        report_json(m);
    else
        report_training_text(m);
    fflush(stdout);
}
