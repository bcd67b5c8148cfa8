/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/store_private.h"

#include <stdio.h>

#define TRAILERS "Irmin-Operation: test\n"

/* The first line of the message about removed or changed paths. */
static void check(const char *const *paths, size_t count, enum delta_kind kind,
		  const char *expected)
{
	struct delta *delta = delta_new(false);
	char *message;

	assert_non_null(delta);
	for (size_t i = 0; i < count; i++)
		assert_non_null(delta_add(delta, kind, MODE_FILE, paths[i]));
	assert_int_equal(message_compose(NULL, delta, TRAILERS, &message), 0);
	*strchr(message, '\n') = '\0';
	assert_string_equal(message, expected);
	free(message);
	delta_free(delta);
}

static void default_messages_name_paths(void **state)
{
	const char *const few[] = { "a", "b", "c" };

	check(few, 1, DELTA_OBJECT, "Update a");
	check(few, 1, DELTA_REMOVED, "Remove a");
	check(few, 3, DELTA_OBJECT, "Update 3 paths: a, b, c");
	check(NULL, 0, DELTA_OBJECT, "Update directories");
}

static void default_messages_are_bounded(void **state)
{
	char names[100][16], longest[256];
	const char *paths[100], *one[] = { longest };
	struct delta *delta = delta_new(false);
	char *message;

	for (int i = 0; i < 100; i++) {
		snprintf(names[i], sizeof(names[i]), "file-%02d", i);
		paths[i] = names[i];
	}
	check(paths, 100, DELTA_OBJECT, "Update 100 paths: file-00, file-01, "
	      "file-02, file-03, file-04, file-05, file-06, file-07, ...");
	/* two bytes a letter: not cut inside one */
	for (int i = 0; i < 200; i += 2)
		memcpy(longest + i, "\xc3\xa9", 2);
	longest[200] = '\0';
	assert_non_null(delta_add(delta, DELTA_OBJECT, MODE_FILE, one[0]));
	assert_int_equal(message_compose(NULL, delta, TRAILERS, &message), 0);
	assert_memory_equal(message, "Update ...\xc3\xa9", 12);
	assert_true(strchr(message, '\n') - message < 100);
	free(message);
	delta_free(delta);
}

static void odd_paths_are_quoted(void **state)
{
	static const char *const cases[][2] = {
		{ "a b", "a b" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "a\nb", "\"a\\nb\"" },
		{ "\x01", "\"\\001\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\xff\xc3\xa9", "\"\\377\\303\\251\"" },
		{ "\xc2\x9b", "\"\\302\\233\"" },	/* one byte CSI */
		{ "\xed\xa0\x80", "\"\\355\\240\\200\"" },	/* surrogate */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buffer quoted = { 0 };

		assert_int_equal(quote_path(cases[i][0], &quoted), 0);
		assert_string_equal(quoted.data, cases[i][1]);
		buffer_release(&quoted);
	}
}

static void trailers_follow_the_text(void **state)
{
	static const char *const cases[][2] = {
		{ "mine", "mine\n\n" TRAILERS },
		{ "\n\nsubject\n\nbody\n \n", "subject\n\nbody\n\n" TRAILERS },
		{ " \n\n", "Update directories\n\n" TRAILERS },
		{ "", "Update directories\n\n" TRAILERS },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *message;

		assert_int_equal(message_compose(cases[i][0], NULL, TRAILERS,
						 &message), 0);
		assert_string_equal(message, cases[i][1]);
		free(message);
	}
}

static void time_does_not_run_backwards(void **state)
{
	struct branch b = { .time = 2000 };
	struct identity identity = { .trailers = strdup(TRAILERS) };
	struct commit *commit;

	assert_int_equal(signature_init(&identity.author, "A", "a@b", 1000, 60),
			 0);
	assert_int_equal(commit_compose(&b, &identity, NULL, NULL, &commit), 0);
	assert_int_equal(commit->committer.time, 2000);
	assert_int_equal(commit->author.offset, 60);
	commit_free(commit);
	identity.author.time = 3000;
	assert_int_equal(commit_compose(&b, &identity, NULL, NULL, &commit), 0);
	assert_int_equal(commit->author.time, 3000);
	assert_int_equal(b.time, 3000);
	commit_free(commit);
	signature_release(&identity.author);
	free(identity.trailers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_messages_name_paths),
		cmocka_unit_test(default_messages_are_bounded),
		cmocka_unit_test(odd_paths_are_quoted),
		cmocka_unit_test(trailers_follow_the_text),
		cmocka_unit_test(time_does_not_run_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
