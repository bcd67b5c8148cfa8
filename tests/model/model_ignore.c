/* SPDX-License-Identifier: ISC */
#include "tests/random.h"
#include "tests/test.h"
#include "store/ignore.h"
#include "store/util.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Random rules in nested .gitignore files and in info/exclude, over one tree of
 * folders and files; what `git check-ignore` says of every path is compared with
 * what store/ignore.h says.  Not among the rules is a backslash before a slash,
 * where Git's two ways to match differ. */

#define ROUNDS 600
#define DEPTH 3
#define PATHS_MOST 512
#define PATH_SIZE 64

static char folder[] = "/tmp/model_ignore.XXXXXX";

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* ---- the tree ---- */

struct path {
	char name[PATH_SIZE];
	bool is_directory, is_ignored;
};

static struct path paths[PATHS_MOST];
static size_t path_count;

static const char *const directories[] = { "a", "b", "ab", "d " };
static const char *const files[] = { "a.o", "ba", "!x", "#c", "b[" };

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static const char *in_folder(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static struct path *add(const char *above, const char *name, bool directory)
{
	struct path *path = &paths[path_count++];
	int length;

	assert_true(path_count <= PATHS_MOST);
	length = snprintf(path->name, sizeof(path->name), "%s%s%s", above,
			  *above ? "/" : "", name);
	assert_true(length < PATH_SIZE);
	path->is_directory = directory;
	return path;
}

static void grow(const char *above, unsigned int depth)
{
	char here[PATH_SIZE];

	snprintf(here, sizeof(here), "%s", above);
	for (size_t i = 0; i < LENGTH(files); i++) {
		struct path *path = add(here, files[i], false);
		int fd = open(in_folder(path->name), O_CREAT | O_WRONLY, 0644);

		assert_true(fd >= 0);
		close(fd);
	}
	for (size_t i = 0; depth && i < LENGTH(directories); i++) {
		struct path *path = add(here, directories[i], true);

		assert_int_equal(mkdir(in_folder(path->name), 0755), 0);
		grow(path->name, depth - 1);
	}
}

/* ---- rules ---- */

static const char *const tokens[] = {
	"a", "a", "b", "b", "o", ".", "*", "*", "?", "/", "/", "/", "**",
	"**/", "/**", "[ab]", "[!a]", "[a/]", "[^.]", "[[:alpha:]]", "[b-",
	"[:x:]", "[[:x:]]", "\\a", "\\*", "\\ ", " ", "!", "#", "[", "]",
	"a.o", "ba", "ab", "d ", "d\\ ",
};

static void make_rules(struct buffer *text)
{
	static const char *const ends[] = { "\n", "\n", "\n", "\r\n", " \n",
					    "/\n", "/\n", "\\\n" };
	unsigned int lines = roll(4);

	assert_int_equal(buffer_puts(text, roll(8) ? "" : "\xef\xbb\xbf"), 0);
	for (unsigned int i = 0; i < lines; i++) {
		unsigned int count = 1 + roll(5);

		if (roll(4) == 0)
			buffer_puts(text, "!");
		for (unsigned int j = 0; j < count; j++)
			buffer_puts(text, tokens[roll(LENGTH(tokens))]);
		buffer_puts(text, ends[roll(LENGTH(ends))]);
	}
	if (text->length && roll(4) == 0)
		text->length--;		/* the last line has no end */
}

static void write_file(const char *name, const struct buffer *text)
{
	FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	if (text->length)
		assert_int_equal(fwrite(text->data, text->length, 1, file), 1);
	assert_int_equal(fclose(file), 0);
}

/* A file of rules in some folder; "" is the top. */
struct source {
	char above[PATH_SIZE];
	struct ignore_file *file;
	struct buffer text;
};

#define SOURCES 8

static struct source sources[SOURCES];
static size_t source_count;

static void add_source(const char *above, const char *name)
{
	struct source *s = &sources[source_count++];

	snprintf(s->above, sizeof(s->above), "%s", above);
	make_rules(&s->text);
	write_file(name, &s->text);
	assert_int_equal(ignore_file_parse(s->text.data ? s->text.data : "",
					   s->text.length, &s->file), 0);
}

/* Sources in a row of folders from the top down, and info/exclude. */
static void make_sources(void)
{
	char above[PATH_SIZE] = "", name[PATH_SIZE + 16];

	add_source("", ".git/info/exclude");
	add_source("", ".gitignore");
	for (unsigned int i = 0; i < DEPTH; i++) {
		size_t length = strlen(above);

		snprintf(above + length, sizeof(above) - length, "%s%s",
			 length ? "/" : "",
			 directories[roll(LENGTH(directories))]);
		snprintf(name, sizeof(name), "%s/.gitignore", above);
		add_source(above, name);
	}
}

static void drop_sources(void)
{
	char name[PATH_SIZE + 16];

	for (size_t i = 0; i < source_count; i++) {
		struct source *s = &sources[i];

		snprintf(name, sizeof(name), "%.*s/.gitignore",
			 PATH_SIZE - 1, s->above);
		unlink(in_folder(name));
		ignore_file_free(s->file);
		buffer_release(&s->text);
	}
	memset(sources, 0, sizeof(sources));
	source_count = 0;
}

/* ---- both answers ---- */

static void ask_git(void)
{
	scoped_buffer struct buffer names = { 0 }, answer = { 0 };
	char command[512];
	size_t i = 0;

	for (i = 0; i < path_count; i++) {
		buffer_append(&names, paths[i].name, strlen(paths[i].name) + 1);
		paths[i].is_ignored = false;
	}
	write_file(".git/names", &names);
	/* 1: none is ignored */
	snprintf(command, sizeof(command), "cd %s && { git -c "
		 "core.excludesFile=/dev/null check-ignore -z --no-index "
		 "--stdin <.git/names >.git/answer || test $? = 1; }", folder);
	run(command);
	assert_int_equal(read_file(AT_FDCWD, in_folder(".git/answer"),
				   1 << 20, &answer), 0);
	i = 0;
	for (const char *p = answer.data; p && p < answer.data + answer.length;
	     p += strlen(p) + 1) {
		while (i < path_count && strcmp(paths[i].name, p) != 0)
			i++;
		assert_true(i < path_count);
		paths[i].is_ignored = true;
	}
}

static bool find(const char *path, bool is_directory)
{
	struct ignore_level levels[SOURCES];
	size_t count = 0;

	for (size_t i = source_count; i-- > 0;) {
		const char *above = sources[i].above;
		size_t length = strlen(above);

		if (strncmp(path, above, length) != 0 ||
		    (length && path[length] != '/'))
			continue;
		levels[count++] = (struct ignore_level){
			sources[i].file, path + length + (length > 0),
		};
	}
	return ignore_find(levels, count, is_directory);
}

static bool is_ignored(const struct path *path)
{
	char above[PATH_SIZE];

	memcpy(above, path->name, PATH_SIZE);
	for (char *p = strchr(above, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (find(above, true))
			return true;
		*p = '/';
	}
	return find(path->name, path->is_directory);
}

static void tell(unsigned int round, const struct path *path)
{
	for (size_t i = 0; i < source_count; i++)
		print_message("# '%s': %.*s\n", sources[i].above,
			      (int)sources[i].text.length,
			      sources[i].text.data ? sources[i].text.data : "");
	fail_msg("round %u: git says that '%s' is %signored", round,
		 path->name, path->is_ignored ? "" : "not ");
}

static void rules_match_as_in_git(void **state)
{
	size_t ignored = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		roll_seed = round;
		make_sources();
		ask_git();
		for (size_t i = 0; i < path_count; i++) {
			ignored += paths[i].is_ignored;
			if (is_ignored(&paths[i]) != paths[i].is_ignored)
				tell(round, &paths[i]);
		}
		drop_sources();
	}
	print_message("# %zu of %zu answers were yes\n", ignored,
		      path_count * ROUNDS);
	assert_true(ignored > path_count);
}

static int make_tree(void **state)
{
	char command[256];

	assert_non_null(mkdtemp(folder));
	snprintf(command, sizeof(command), "git init -q %s", folder);
	run(command);
	grow("", DEPTH);
	return 0;
}

static int remove_tree(void **state)
{
	char command[256];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	run(command);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_match_as_in_git),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
