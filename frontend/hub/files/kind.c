// What a file is that isn't what was expected, and what helps: by its first bytes, or by its ending where they
// say nothing.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frontend/hub/files/text.h"
#include "frontend/hub/hub.h"

#define TORCH                                                                                                \
    "as PyTorch's .bin, .pt and .pth are: where torch.save wrote it of a model's weights, MODEL may be it"
#define START_BYTES 512

static const struct {
    size_t at;
    const char *bytes, *kind;
} starts[] = {
    {0,
     "\x7f"
     "ELF",
     "a shared object: where bertc compiled it, run, tokenize, bench and inspect take it"},
    {0, "PK\x03\x04", "a zip archive, " TORCH},
    {0, "\x80\x02", "a pickle, " TORCH},
    {0, "\x80\x04", "a pickle, which may hold code and is not read: save the model as safetensors"},
    {0, "GGUF", "a GGUF file, which is not read: take the model's safetensors"},
    {0, "\x89HDF",
     "an HDF5 file, as TensorFlow's and Keras' .h5 are, which is not read: take the model's "
     "safetensors"},
    {0, "\x93NUMPY", "a NumPy array, which is not read: --tensors takes safetensors"},
    {0, "\x1f\x8b", "compressed by gzip: unpack it, and name the folder"},
    {0, "BZh", "compressed by bzip2: unpack it, and name the folder"},
    {0,
     "\xfd"
     "7zXZ",
     "compressed by xz: unpack it, and name the folder"},
    {0, "\x28\xb5\x2f\xfd", "compressed by zstd: unpack it, and name the folder"},
    {257, "ustar", "a tar archive: unpack it, and name the folder"},
};

static const struct {
    const char *ending, *kind;
} endings[] = {
    {".onnx", "an ONNX graph, which is not read: take the model's safetensors"},
    {".msgpack", "Flax weights, which are not read: take the model's safetensors"},
    {".tflite", "a TensorFlow Lite model, which is not read: take the model's safetensors"},
    {".pb", "a TensorFlow graph, which is not read: take the model's safetensors"},
    {".model", "sentencepiece's own file: a tokenizer.json is read (tokenizer.save_pretrained(FOLDER))"},
};

static bool is_op_graph(const char *text) {
    for (;;) {
        text += strspn(text, " \t\r\n");
        if (strncmp(text, "//", 2)) break;
        text += strcspn(text, "\n");
    }
    return !strncmp(text, "graph", 5) && text[5] && strchr(" \t\r\n@(", text[5]);
}

static bool is_text(const char *start, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)start[i];
        if (c < ' ' && c != '\t' && c != '\n' && c != '\r') return false;
        if (c == 0x7f || c == 0xc0 || c == 0xc1 || c >= 0xf5) return false; // of no UTF-8 text
    }
    return n > 0;
}

static const char *kind_of(const char *path, const char *start, size_t n, bool whole) {
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        size_t m = strlen(starts[i].bytes);
        if (n >= starts[i].at + m && !memcmp(start + starts[i].at, starts[i].bytes, m)) return starts[i].kind;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (hub_ends_with(path, endings[i].ending)) return endings[i].kind;
    if (n > 9 && start[8] == '{' && !start[7] && !start[6] && !start[5] && !whole)
        return "safetensors, by its first bytes: its name must end in .safetensors or .st";
    if (is_op_graph(start))
        return "op-graph text: --graph takes it, beside the checkpoint that it is of, and bertc opt runs "
               "passes "
               "over it";
    if (!is_text(start, n)) return NULL;
    return start[strspn(start, " \t\r\n")] == '{'
               ? "JSON: of a checkpoint name the folder, or the weights (config.json and tokenizer.json are "
                 "found "
                 "beside them, or by --config and --tokenizer)"
               : "text: texts to answer go to bertc run --input, or stand behind the model";
}

const char *hub_file_kind(const char *path) {
    char start[START_BYTES + 1];
    struct stat s;
    if (stat(path, &s)) return NULL;
    if (S_ISDIR(s.st_mode)) return "a folder";
    if (!S_ISREG(s.st_mode)) return NULL;
    if (!s.st_size) return "empty";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return NULL;
    ssize_t n = read(fd, start, START_BYTES);
    close(fd);
    if (n <= 0) return NULL;
    start[n] = 0;
    return kind_of(path, start, (size_t)n, hub_ends_with(path, ".safetensors") || hub_ends_with(path, ".st"));
}
