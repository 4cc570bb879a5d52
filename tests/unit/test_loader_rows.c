// links: runtime
// Descriptors of other versions: longer and shorter rows, and what a file requires.
#include <check.h>

#include "loader_case.h"
#include "main.h"
#include "runtime/load/rows.h"

// The file has names for what it requires, so that a library that does not know it can say what that is.
START_TEST(requirements) {
    blob b = make();
    char *names = b.data + b.size;
    descriptor_of(&b)->required_names = (int64_t)b.size - ELF_DATA;
    strcpy(names, "first,second,");
    ((Elf64_Phdr *)(void *)(b.data + sizeof(Elf64_Ehdr)))[2].p_filesz += 64;
    ((Elf64_Phdr *)(void *)(b.data + sizeof(Elf64_Ehdr)))[2].p_memsz += 64;
    b.size += 64;
    static const struct {
        uint64_t bits;
        const char *name;
        int bit;
    } cases[] = {{UINT64_C(1) << 40, "first", 40},
                 {UINT64_C(1) << 63 | UINT64_C(1) << 62, "first", 62},
                 {UINT64_C(1) << 5, "first", 5}};
    char want[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        descriptor_of(&b)->required = cases[i].bits;
        snprintf(want, sizeof want,
                 "it requires `%s` (bit %d), which this library does not know: use a later one",
                 cases[i].name, cases[i].bit);
        ck_assert_str_eq(load(b.data, b.size), want);
    }
    descriptor_of(&b)->required_names = 1 << 20;
    ck_assert_str_eq(load(b.data, b.size),
                     "broken descriptor: what it requires outside of the file, or misaligned");
    free(b.data);
}
END_TEST

// A row of an earlier version is shorter: what it lacks is 0.
START_TEST(rows_as_known) {
    bertc_descriptor d = {.row_bytes = BERTC_ROW_BYTES};
    _Alignas(8) char bytes[3 * 24];
    bertc_slot s = {7, 7};
    memset(bytes, 0x11, sizeof bytes);
    d.row_bytes[BERTC_ROW_SLOT] = 8;
    row_read(&d, BERTC_ROW_SLOT, bytes, 2, &s);
    ck_assert_int_eq(s.offset, 0x1111111111111111);
    ck_assert_int_eq(s.ld, 0);
    d.row_bytes[BERTC_ROW_SLOT] = 24;
    memset(bytes + 24, 0x22, 16);
    bertc_slot *all = rows_read(&d, BERTC_ROW_SLOT, bytes, 3);
    ck_assert_int_eq(all[0].ld, 0x1111111111111111);
    ck_assert_int_eq(all[1].ld, 0x2222222222222222);
    ck_assert_int_eq(all[2].offset, 0x1111111111111111);
    free(all);
    struct_read(bytes, 8, &d, sizeof d);
    ck_assert_uint_eq(d.abi_version, 0);
}
END_TEST

int main(void) {
    name_file();
    Suite *s = suite_create("loader_rows");
    TCase *t = tcase_create("loader_rows");
    tcase_add_test(t, requirements);
    tcase_add_test(t, rows_as_known);
    suite_add_tcase(s, t);
    int status = suite_status(s);
    unlink(path);
    return status;
}
