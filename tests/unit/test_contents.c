/* SPDX-License-Identifier: ISC */
#include "tests/unit/contents_pool.h"

/* Another kind: a fixed array. */
struct array {
	struct contents contents;
	bool freed;
	size_t size;
	char bytes[600000];
};

static ssize_t array_read(struct contents *c, void *data, size_t size,
			  uint64_t offset)
{
	struct array *a = (struct array *)c;

	if (offset >= a->size)
		return 0;
	if (size > a->size - offset)
		size = a->size - offset;
	memcpy(data, a->bytes + offset, size);
	return size;
}

static ssize_t array_write(struct contents *c, const void *data, size_t size,
			   uint64_t offset)
{
	struct array *a = (struct array *)c;

	if (offset + size > sizeof(a->bytes))
		return -ENOSPC;
	memcpy(a->bytes + offset, data, size);
	a->size = offset + size;
	return size;
}

static uint64_t array_size(struct contents *c)
{
	return ((struct array *)c)->size;
}

static void array_free(struct contents *c)
{
	((struct array *)c)->freed = true;
}

static const struct contents_ops array_ops = {
	.name = "array",
	.read = array_read,
	.write = array_write,
	.size = array_size,
	.free = array_free,
};

static void kinds_share_by_copying(void **state)
{
	static struct array a;
	struct fixture f;
	struct contents *c;

	fixture_open(&f, 0, 0);
	c = new_file(&f);
	a.contents.ops = &array_ops;
	a.contents.refs = 1;
	put(c, 500000, 0, 1);
	assert_int_equal(contents_share(c, 0, &a.contents, 100, 1 << 20),
			 500000);
	assert_int_equal(contents_truncate(c, 0), 0);
	assert_int_equal(contents_share(&a.contents, 100, c, 7, 1 << 20),
			 500000);
	assert_zeros(c, 7, 0);
	assert_pattern(c, 500000, 7, 1);
	/* Short where the target fails half way, an error where it begins. */
	assert_int_equal(contents_share(c, 7, &a.contents, 200000, 500000),
			 262144);
	assert_int_equal(contents_share(c, 7, &a.contents, 600000, 1), -ENOSPC);
	contents_unref(c);
	fixture_close(&f);
}

static void last_reference_frees(void **state)
{
	static struct array a;

	a.contents.ops = &array_ops;
	a.contents.refs = 1;
	assert_ptr_equal(contents_ref(&a.contents), &a.contents);
	contents_unref(&a.contents);
	assert_false(a.freed);
	contents_unref(&a.contents);
	assert_true(a.freed);
	contents_unref(NULL);
}

static void text_has_no_nul_near_its_beginning(void **state)
{
	static char data[9000];

	memset(data, 'a', sizeof(data));
	assert_true(contents_is_text(NULL, 0));
	assert_true(contents_is_text(data, sizeof(data)));
	data[8000] = '\0';
	assert_true(contents_is_text(data, sizeof(data)));
	data[7999] = '\0';
	assert_false(contents_is_text(data, sizeof(data)));
	assert_true(contents_is_text(data, 7999));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_share_by_copying),
		cmocka_unit_test(last_reference_frees),
		cmocka_unit_test(text_has_no_nul_near_its_beginning),
	};

	return cmocka_run_group_tests_name("contents", tests, NULL, NULL);
}
