// links: runtime
// What `cmake --install` puts there is enough: pkg-config and CMake find it, C and C++ programs build with
// it, shared and static, and nothing but the public names can be seen.
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main.h"

static char root[64] = "/tmp/bertc_install_XXXXXX", build[512];

// Exit status of a shell command; its output's last part goes to `out`.
static int run(char *out, size_t size, const char *format, ...) {
    char command[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    strcat(command, " 2>&1");
    FILE *f = popen(command, "r");
    if (!f) return -1; // main calls it too, where nothing may be asserted
    size_t n = fread(out, 1, size - 1, f);
    out[n] = 0;
    while (fgetc(f) != EOF) continue;
    int status = pclose(f);
    return status < 0 ? status : status >> 8;
}

static void must(const char *format, ...) {
    char out[4096], command[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    int status = run(out, sizeof out, "%s", command);
    ck_assert_msg(status == 0, "%s\n%s", command, out);
}

static void write_text(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "w");
    ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

// classify on a file that isn't there: it runs, and says so.
static void try_classify(const char *program) {
    char out[1024];
    ck_assert_int_eq(
        run(out, sizeof out, "LD_LIBRARY_PATH=%s/lib %s/%s nowhere.so text", root, root, program), 1);
    ck_assert_str_eq(out, "nowhere.so: No such file or directory\n");
}

START_TEST(pkg_config) {
    must("PKG_CONFIG_PATH=%s/lib/pkgconfig sh -c 'cc %s/../examples/classify.c $(pkg-config --cflags --libs "
         "bertc) -o %s/shared'",
         root, BERTC_TESTS, root);
    try_classify("shared");
    char out[1024];
    must("PKG_CONFIG_PATH=%s/lib/pkgconfig sh -c 'cc %s/../examples/correct.c $(pkg-config --cflags --libs "
         "bertc) -o %s/correct'",
         root, BERTC_TESTS, root);
    ck_assert_int_eq(run(out, sizeof out, "LD_LIBRARY_PATH=%s/lib %s/correct nowhere.so", root, root), 1);
    ck_assert_str_eq(out, "nowhere.so: No such file or directory\n");
    must("PKG_CONFIG_PATH=%s/lib/pkgconfig sh -c 'cc %s/../examples/classify.c $(pkg-config --cflags bertc) "
         "%s/lib/libbertc.a "
         "$(pkg-config --libs libutf8proc libpcre2-8) -lpthread -lm -o %s/static'",
         root, BERTC_TESTS, root, root);
    try_classify("static");
}
END_TEST

START_TEST(cmake_package) {
    char text[1024];
    snprintf(
        text, sizeof text,
        "cmake_minimum_required(VERSION 3.20)\nproject(user LANGUAGES C)\nfind_package(bertc 0.1 REQUIRED)\n"
        "add_executable(by_shared %s/../examples/classify.c)\ntarget_link_libraries(by_shared PRIVATE "
        "bertc::bertc)\n"
        "add_executable(by_static %s/../examples/classify.c)\ntarget_link_libraries(by_static PRIVATE "
        "bertc::static)\n",
        BERTC_TESTS, BERTC_TESTS);
    write_text("CMakeLists.txt", text);
    must("cmake -G '%s' -S %s -B %s/user -DCMAKE_PREFIX_PATH=%s", BERTC_GENERATOR, root, root, root);
    must("cmake --build %s/user", root);
    try_classify("user/by_shared");
    try_classify("user/by_static");
}
END_TEST

START_TEST(header_in_cxx) {
    char out[256];
    // No C++ compiler is needed to build bertc.
    if (run(out, sizeof out, "c++ --version") != 0) SKIP("tools", "c++");
    write_text(
        "use.cpp",
        "#include <bertc_train.h>\nint main() {\n    bertc_error e;\n    bertc_batch b = BERTC_BATCH_INIT;\n"
        "    bertc_tensor t[2] = {BERTC_TENSOR_INIT, {}};\n    bertc_load_options o = "
        "{BERTC_SIZED(bertc_load_options), true};\n"
        "    bertc_train_batch c = BERTC_TRAIN_BATCH_INIT;\n"
        "    return c.size == sizeof c && b.size == sizeof b && t[0].size == sizeof *t && o.size && "
        "bertc_load(\"\", &e) != "
        "nullptr;\n}\n");
    must("c++ -std=c++11 -Wall -Wextra -Werror -I%s/include -fsyntax-only %s/use.cpp", root, root);
    write_text("later.cpp", "#include <bertc.h>\nbertc_load_options o = {BERTC_SIZED(bertc_load_options), "
                            ".check_weights = true};\n");
    must("c++ -std=c++20 -Wall -Wextra -Werror -I%s/include -fsyntax-only %s/later.cpp", root, root);
    must("PKG_CONFIG_PATH=%s/lib/pkgconfig sh -c 'c++ -std=c++20 -Wall -Wextra -Werror "
         "%s/../examples/classify.cpp "
         "$(pkg-config --cflags --libs bertc) -o %s/cxx'",
         root, BERTC_TESTS, root);
    try_classify("cxx");
}
END_TEST

START_TEST(names) {
    char out[65536];
    const char *const commands[] = {"nm -D --defined-only", "nm -g --defined-only"}, *const files[] = {
                                                                                         "libbertc.so",
                                                                                         "libbertc.a"};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            run(out, sizeof out, "%s %s/lib/%s | awk 'NF > 2 {print $3}'", commands[i], root, files[i]), 0);
        int count = 0;
        for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n"), count++)
            ck_assert_msg(strncmp(line, "bertc_", 6) == 0, "%s shows %s", files[i], line);
        ck_assert_int_gt(count, 20);
    }
    ck_assert_int_eq(run(out, sizeof out, "readelf -d %s/lib/libbertc.so | grep -o 'soname: .*'", root), 0);
    ck_assert_str_eq(out, "soname: [libbertc.so.0.1]\n");
}
END_TEST

// The build folder that this program lies in.
static bool find_build(void) {
    ssize_t n = readlink("/proc/self/exe", build, sizeof build - 1);
    if (n <= 0) return false;
    build[n] = 0;
    *strrchr(build, '/') = 0;
    char *tests = strrchr(build, '/');
    if (!tests) return false;
    *tests = 0;
    return true;
}

int main(void) {
    char out[4096];
    // Programs that link what is installed would need the sanitizer too.
#ifdef BERTC_SANITIZED
    return skip_all("plain", "built with a sanitizer");
#endif
    if (!find_build() || !mkdtemp(root)) return 1;
    if (run(out, sizeof out,
            "cmake --install %s --component libbertc --prefix %s && cmake --install %s --component dev "
            "--prefix %s",
            build, root, build, root) != 0) {
        fprintf(stderr, "%s", out);
        return 1;
    }
    Suite *s = suite_create("install");
    TCase *t = tcase_create("install");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, pkg_config);
    tcase_add_test(t, cmake_package);
    tcase_add_test(t, header_in_cxx);
    tcase_add_test(t, names);
    suite_add_tcase(s, t);
    int status = suite_status(s);
    if (!status) run(out, sizeof out, "rm -r %s", root);
    return status;
}
