// links: ir
// Constants by content: equal ones are found in the order in which they were added, however many there are.
#include <check.h>
#include <string.h>

#include "ir/constant_set.h"
#include "main.h"

static const node *literal(graph *g, int32_t x, int64_t n) {
    int32_t *data = ARENA_ARRAY(g->arena, int32_t, n);
    for (int64_t i = 0; i < n; i++) data[i] = x;
    type t = type_make(ELEM_I32, 1, (dim[]){dim_num(n)});
    return graph_node(g, graph_constant_literal(g, NULL, t, data));
}

static const node *of_recipe(graph *g, const char *tensor, double scale) {
    recipe *r = recipe_tensor(g->arena, tensor, ELEM_F32, 2, (int64_t[]){3, 5});
    return graph_node(g, graph_constant_recipe(g, NULL, recipe_scale(g->arena, r, scale)));
}

START_TEST(by_content) {
    arena *a = arena_new();
    graph *g = graph_new(a, "g");
    constant_set *s = constant_set_new(a);
    const node *one = of_recipe(g, "w", 2), *two = of_recipe(g, "w", 2);
    ck_assert_ptr_null(constant_set_find(s, one, NULL));
    constant_set_add(s, one);
    constant_set_add(s, two);
    ck_assert_ptr_eq(constant_set_find(s, of_recipe(g, "w", 2), NULL), one);
    ck_assert_ptr_eq(constant_set_find(s, one, one), two);
    ck_assert_ptr_null(constant_set_find(s, one, two));
    ck_assert_ptr_null(constant_set_find(s, of_recipe(g, "w", 3), NULL));
    ck_assert_ptr_null(constant_set_find(s, of_recipe(g, "v", 2), NULL));
    arena_free(a);
}
END_TEST

#define MANY 20000

START_TEST(many) {
    arena *a = arena_new();
    graph *g = graph_new(a, "g");
    constant_set *s = constant_set_new(a);
    const node **all = ARENA_ARRAY(a, const node *, MANY);
    for (int i = 0; i < MANY; i++) constant_set_add(s, all[i] = literal(g, i / 2, 1 + i % 3 / 2));
    for (int i = 0; i < MANY; i++) {
        const node *found = constant_set_find(s, all[i], NULL);
        ck_assert_ptr_nonnull(found);
        while (found != all[i]) ck_assert_ptr_nonnull(found = constant_set_find(s, all[i], found));
    }
    ck_assert_ptr_null(constant_set_find(s, literal(g, MANY, 1), NULL));
    ck_assert_ptr_null(constant_set_find(s, literal(g, 1, 3), NULL));
    arena_free(a);
}
END_TEST

int main(void) {
    Suite *s = suite_create("constant_set");
    TCase *t = tcase_create("constant_set");
    tcase_add_test(t, by_content);
    tcase_add_test(t, many);
    suite_add_tcase(s, t);
    return suite_status(s);
}
