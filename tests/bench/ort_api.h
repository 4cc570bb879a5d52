// The few functions of ONNX Runtime's C API that ort_peer.c calls, by their places in its table of functions,
// which no version moves. Declared here because the packages that hold the library hold no header.
#ifndef BERTC_TESTS_BENCH_ORT_API_H
#define BERTC_TESTS_BENCH_ORT_API_H

#include <stddef.h>
#include <stdint.h>

typedef struct ort_object ort_object; // environments, sessions, options, values, ...; each opaque
typedef ort_object *ort_status;       // NULL: success

typedef struct ort_api_base {
    const void *const *(*get_api)(uint32_t version);
    const char *(*version)(void);
} ort_api_base;
#define ORT_API_VERSION 11

enum { ORT_INT32 = 6, ORT_INT64 = 7, ORT_FLOAT = 1 }; // element types
enum {
    ORT_WARNINGS = 2,
    ORT_SEQUENTIAL = 0,
    ORT_ALL_OPTIMISATIONS = 99,
    ORT_DEVICE_ALLOCATOR = 0,
    ORT_DEFAULT_MEMORY = 0
};

typedef const char *(*ort_get_message)(const ort_object *status);
typedef ort_status (*ort_create_env)(int level, const char *id, ort_object **out);
typedef ort_status (*ort_create_session)(const ort_object *env, const char *path, const ort_object *options,
                                         ort_object **out);
typedef ort_status (*ort_run)(ort_object *session, const ort_object *options, const char *const *input_names,
                              const ort_object *const *inputs, size_t input_count,
                              const char *const *output_names, size_t output_count, ort_object **outputs);
typedef ort_status (*ort_create)(ort_object **out);
typedef ort_status (*ort_set_int)(ort_object *options, int v);
typedef ort_status (*ort_get_count)(const ort_object *of, size_t *out);
typedef ort_status (*ort_get_input_type)(const ort_object *session, size_t i, ort_object **type);
typedef ort_status (*ort_get_name)(const ort_object *session, size_t i, ort_object *allocator, char **name);
typedef ort_status (*ort_make_tensor)(const ort_object *memory, void *data, size_t bytes,
                                      const int64_t *shape, size_t rank, int type, ort_object **out);
typedef ort_status (*ort_get_data)(ort_object *value, void **data);
typedef ort_status (*ort_cast_type)(const ort_object *type, const ort_object **tensor_type);
typedef ort_status (*ort_get_element_type)(const ort_object *tensor_type, int *out);
typedef ort_status (*ort_get_dimensions)(const ort_object *tensor_type, int64_t *out, size_t count);
typedef ort_status (*ort_get_tensor_type)(const ort_object *value, ort_object **out);
typedef ort_status (*ort_cpu_memory)(int allocator, int memory, ort_object **out);
typedef void (*ort_release)(ort_object *o);

// Name, place, type
#define ORT_FUNCTIONS(X)                                                                                     \
    X(message, 2, ort_get_message)                                                                           \
    X(create_env, 3, ort_create_env)                                                                         \
    X(create_session, 7, ort_create_session)                                                                 \
    X(run, 9, ort_run)                                                                                       \
    X(create_options, 10, ort_create)                                                                        \
    X(set_execution_mode, 13, ort_set_int)                                                                   \
    X(set_optimisation, 23, ort_set_int)                                                                     \
    X(set_threads, 24, ort_set_int)                                                                          \
    X(set_inter_threads, 25, ort_set_int)                                                                    \
    X(input_count, 30, ort_get_count)                                                                        \
    X(output_count, 31, ort_get_count)                                                                       \
    X(input_type, 33, ort_get_input_type)                                                                    \
    X(input_name, 36, ort_get_name)                                                                          \
    X(output_name, 37, ort_get_name)                                                                         \
    X(make_tensor, 49, ort_make_tensor)                                                                      \
    X(data, 51, ort_get_data)                                                                                \
    X(cast_type, 55, ort_cast_type)                                                                          \
    X(element_type, 60, ort_get_element_type)                                                                \
    X(dimension_count, 61, ort_get_count)                                                                    \
    X(dimensions, 62, ort_get_dimensions)                                                                    \
    X(element_count, 64, ort_get_count)                                                                      \
    X(tensor_type, 65, ort_get_tensor_type)                                                                  \
    X(cpu_memory, 69, ort_cpu_memory)                                                                        \
    X(default_allocator, 78, ort_create)                                                                     \
    X(release_status, 93, ort_release)                                                                       \
    X(release_session, 95, ort_release)                                                                      \
    X(release_value, 96, ort_release)                                                                        \
    X(release_type, 98, ort_release)                                                                         \
    X(release_tensor_type, 99, ort_release)

typedef struct ort_api {
#define X(name, place, type) type name;
    ORT_FUNCTIONS(X)
#undef X
} ort_api;

#endif
