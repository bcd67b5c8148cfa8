/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "store/attribute_file.h"
#include "store/attribute_lines.h"

#include <errno.h>

static int add_path(void *context, const char *path, const char *type)
{
	return buffer_printf(context, "%s=%s;", path, type);
}

static void assert_lines(const char *text, const char *want)
{
	scoped_buffer struct buffer b = { 0 };

	assert_int_equal(attribute_lines_each(text, strlen(text), add_path, &b),
			 0);
	assert_string_equal(b.data ? b.data : "", want);
}

static void assert_changed(const char *text, const char *path, const char *to,
			   int count, const char *want)
{
	scoped_buffer struct buffer b = { 0 };

	assert_int_equal(attribute_lines_change(text, strlen(text), path, to,
						&b), count);
	assert_string_equal(b.data ? b.data : "", want);
}

static void test_each(void **state)
{
	assert_lines("", "");
	assert_lines("/jobs irmin=queue", "jobs=queue;");
	assert_lines("/jobs irmin=queue\n/a/b text irmin=x irmin=y -z\r\n",
		     "jobs=queue;a/b=y;");
	assert_lines("a/b irmin=queue\njobs irmin=queue\n/* irmin=queue\n"
		     "#/c irmin=queue\n!/d irmin=queue\n[attr]x irmin=queue\n"
		     "/e irmin\n/f -irmin\n/g text\n/ irmin=queue\n",
		     "a/b=queue;");
	assert_lines("\"/a b\" irmin=queue\n/c\\*d irmin=queue\n"
		     "\"/e\\\\?\\\"\\n\" irmin=queue\n\"/f irmin=queue\n",
		     "a b=queue;c*d=queue;e?\"\n=queue;");
}

static void test_change(void **state)
{
	const char *text = "*.c text\n/a irmin=queue\n/a/b irmin=queue x\n"
			   "/ab irmin=queue";

	assert_changed(text, "a", "c d", 2, "*.c text\n\"/c d\" irmin=queue\n"
		       "\"/c d/b\" irmin=queue x\n/ab irmin=queue");
	assert_changed(text, "a", NULL, 2, "*.c text\n/a/b x\n/ab irmin=queue");
	assert_changed(text, "ab", NULL, 1,
		       "*.c text\n/a irmin=queue\n/a/b irmin=queue x\n");
	assert_changed(text, "none", NULL, 0, text);
}

/* What is written is read again, by us and by Git. */
static void test_add(void **state)
{
	const char *const paths[] = {
		"jobs", "a/b c", "*", "[x]?", "back\\slash", "q\"uote",
		"tab\t", " begin", "#x", "!x", "\xc3\xa4", "new\nline",
		"\"", "a\\*b c",
	};
	scoped_buffer struct buffer b = { 0 };
	char *folder = shell_begin();
	FILE *file;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		scoped_buffer struct buffer want = { 0 };

		b.length = 0;
		assert_int_equal(buffer_puts(&b, "x"), 0);
		assert_int_equal(attribute_lines_add(&b, paths[i], "queue"), 0);
		buffer_printf(&want, "%s=queue;", paths[i]);
		assert_lines(b.data, want.data);
		shell_do(folder, "rm -rf r && git init -q r");
		b.length = 0;
		assert_int_equal(attribute_lines_add(&b, paths[i], "queue"), 0);
		assert_int_equal(chdir(folder), 0);
		file = fopen("r/.gitattributes", "w");
		fwrite(b.data, 1, b.length, file);
		fclose(file);
		file = fopen("r/ask", "w");
		fprintf(file, "%s", paths[i]);
		fputc('\0', file);
		fclose(file);
		shell_do(folder, "cd r && git check-attr -z --stdin irmin <ask "
			 "| tr '\\0' '\\n' | grep -qx queue");
	}
	assert_int_equal(chdir("/"), 0);
	shell_end(folder);
}

static void test_too_long(void **state)
{
	scoped_buffer struct buffer b = { 0 };
	char path[ATTRIBUTE_LINE_MAX];

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(attribute_lines_add(&b, path, "queue"), -ENAMETOOLONG);
	path[sizeof(path) - 20] = '\0';
	b.length = 0;
	assert_int_equal(attribute_lines_add(&b, path, "queue"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
