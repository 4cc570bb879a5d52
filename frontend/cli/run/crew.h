// Many texts on all threads: a chunk of rows is sorted by length and handed out in groups, longest first,
// to sessions of one thread each. So no thread waits for another within a text, texts of similar length
// share a group, and the last groups of a chunk are short.
#ifndef BERTC_CLI_CREW_H
#define BERTC_CLI_CREW_H

#include "frontend/cli/run/lines.h"

// The most lines and bytes of a chunk. Two chunks are in memory at a time.
#define CHUNK_ROWS  4096
#define CHUNK_BYTES (8 << 20)

typedef struct chunk {
    row *rows;  // [CHUNK_ROWS]
    int *order; // rows without an error, longest text first
    int count, good;
} chunk;

bool chunk_open(chunk *c);
void chunk_close(chunk *c);
// Frees the rows' answers and texts; there are none then.
void chunk_clear(chunk *c);
// Of rows that the caller has filled in, `count` of them: which are good, in the order in which they are answered.
void chunk_order(chunk *c);
// Reads until there are `rows` lines (at most CHUNK_ROWS), or CHUNK_BYTES, or no more for now (lines_ready).
// False where there was none.
bool chunk_read(chunk *c, line_source *s, int64_t rows, diag *d);

// What a worker does with a row's answer; on any thread, one row at a time on each. false: *why says why.
typedef bool (*crew_take)(void *user, row *r, const bertc_result *result, const char **why);

// How a group of rows is answered, where not by bertc_answer_texts alone.
typedef bool (*crew_answer)(const void *user, bertc_session *s, const bertc_text *texts, size_t count,
                            const bertc_text_options *options, bertc_result *results, bertc_error *error);

typedef struct crew crew;
crew *crew_open(bertc_model *model, int threads, const bertc_text_options *options, crew_take take,
                void *user, diag *d);
void crew_close(crew *c);
// Before the first chunk. `user` goes to `answer`.
void crew_answer_by(crew *c, crew_answer answer, const void *user);
// Rows that a chunk should have, by how long the last one took: some seconds' work, so that progress shows
// and a stopped run has lost little.
int64_t crew_rows(const crew *c);
// Hands the chunk out and returns at once; its rows then have an answer or an error when crew_wait returns.
void crew_start(crew *c, chunk *work);
void crew_wait(crew *c);

// --- crew_stream.c

// What is done with a chunk whose rows have answers or errors; in the lines' order, on the calling thread.
typedef bool (*chunk_put)(void *user, const line_source *in, const chunk *c, diag *d);
// All lines, with progress on a terminal.
bool crew_stream(crew *workers, line_source *in, chunk_put put, void *user, diag *d);

#endif
