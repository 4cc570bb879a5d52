// Answers from logits.
#include "runtime/answer/tasks.h"

#include <math.h>

// --- The best few

static bool worse(const bertc_score *a, const bertc_score *b) {
    return a->score < b->score || (a->score == b->score && a->id > b->id);
}

// A heap whose root is the worst.
static void sift_down(bertc_score *heap, int n, int i) {
    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && worse(&heap[child + 1], &heap[child])) child++;
        if (!worse(&heap[child], &heap[i])) return;
        bertc_score t = heap[i];
        heap[i] = heap[child];
        heap[child] = t;
    }
}

// The worst goes to the end.
static void sort_heap(bertc_score *heap, int n) {
    for (int left = n - 1; left > 0; left--) {
        bertc_score t = heap[0];
        heap[0] = heap[left];
        heap[left] = t;
        sift_down(heap, left, 0);
    }
}

void task_sort(bertc_score *scores, int n) {
    for (int i = n / 2 - 1; i >= 0; i--) sift_down(scores, n, i);
    sort_heap(scores, n);
}

int task_top(const float *logits, int n, int k, bertc_score *out) {
    if (k > n) k = n;
    if (k <= 0) return 0;
    for (int i = 0; i < k; i++) out[i] = (bertc_score){.id = i, .score = logits[i]};
    for (int i = k / 2 - 1; i >= 0; i--) sift_down(out, k, i);
    for (int i = k; i < n; i++)
        if (logits[i] > out[0].score) {
            out[0] = (bertc_score){.id = i, .score = logits[i]};
            sift_down(out, k, 0);
        }
    sort_heap(out, k);
    return k;
}

static float largest(const float *x, int n) {
    float m = x[0];
    for (int i = 1; i < n; i++)
        if (x[i] > m) m = x[i];
    return m;
}

static double exp_sum(const float *x, int n, float max) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += exp((double)x[i] - (double)max);
    return sum;
}

void task_softmax(const float *logits, int n, bertc_score *scores, int count) {
    float max = largest(logits, n);
    double sum = exp_sum(logits, n, max);
    for (int i = 0; i < count; i++)
        scores[i].score = (float)(exp((double)scores[i].score - (double)max) / sum);
}

void task_add_softmax(const float *logits, int n, double *sums) {
    float max = largest(logits, n);
    double sum = exp_sum(logits, n, max);
    for (int i = 0; i < n; i++) sums[i] += exp((double)logits[i] - (double)max) / sum;
}

void task_sigmoid(bertc_score *scores, int count) {
    for (int i = 0; i < count; i++) scores[i].score = (float)(1 / (1 + exp(-(double)scores[i].score)));
}
