/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "store/checksum.h"
#include "store/ignore.h"
#include "store/local_store.h"
#include "store/node.h"
#include "store/node_xattr.h"
#include "store/pool.h"

#include <stdio.h>
#include <string.h>
/* after the others: its names are short */
#include "tests/faces.h"
#include "tests/random.h"

/* Random changes of a work tree with captures, folds and late adoptions between
 * them; then the tree is made anew from what was stored, and everything that
 * stat(2) tells of everything must be as it was. */

#define ROUNDS 1000
#define STEPS 120
#define NAMES 8
#define PENDING 4

static struct timespec now = { 1000, 0 };
static struct worktree *tree;
static struct oid stored, face;		/* with all captures but the pending */
static struct delta *pending[PENDING];
static size_t pending_count;

static void tick(struct timespec *ret)
{
	now.tv_nsec += 1000003;
	if (now.tv_nsec >= 1000000000) {
		now.tv_nsec -= 1000000000;
		now.tv_sec++;
	}
	*ret = now;
}

static void mount(void)
{
	struct worktree_options options = {
		.odb = odb, .local = local, .pool = pool, .clock = tick,
		.incarnation = 1, .tree = stored, .face = face,
		.time = { 500, 0 },
	};

	assert_int_equal(worktree_new(&options, &tree), 0);
}

/* ---- all that can be seen ---- */

struct names {
	char name[64][16];
	size_t count;
};

/* Where files with several names were seen first. */
static struct seen {
	ino_t number;
	nlink_t links, found;
	char path[512];
} seen[256];
static size_t seen_count;

static const char *first_path(const struct stat *st, const char *path)
{
	for (size_t i = 0; i < seen_count; i++)
		if (seen[i].number == st->st_ino) {
			seen[i].found++;
			return seen[i].path;
		}
	assert_true(seen_count < 256);
	seen[seen_count] = (struct seen){
		.number = st->st_ino, .links = st->st_nlink, .found = 1,
	};
	snprintf(seen[seen_count].path, sizeof(seen->path), "%s", path);
	return seen[seen_count++].path;
}

static void tell_contents(struct node *n, const struct stat *st,
			  struct buffer *ret)
{
	char text[64];
	ssize_t size;

	if (!S_ISREG(st->st_mode))
		return;
	size = node_read(n, text, sizeof(text), 0);
	assert_true(size >= 0);
	for (ssize_t i = 0; i < size; i++)
		buffer_printf(ret, "%02x", (unsigned char)text[i]);
}

static int add_name(void *context, const struct listed *entry)
{
	struct names *names = context;

	assert_true(names->count < 64);
	snprintf(names->name[names->count++], 16, "%s", entry->name);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void tell_xattrs(struct node *n, struct buffer *ret)
{
	char names[256];
	ssize_t size = node_list_xattr(n, names, sizeof(names));

	assert_true(size >= 0);
	for (ssize_t i = 0; i < size; i += strlen(names + i) + 1) {
		char value[1000];
		ssize_t length = node_get_xattr(n, names + i, value,
						sizeof(value));

		assert_true(length >= 0);
		buffer_printf(ret, " %s=%zd:%llx\n", names + i, length,
			      (long long)checksum64(value, length, 0));
	}
}

static void tell(struct node *n, const char *path, struct buffer *ret)
{
	struct names names = { 0 };
	struct stat st;

	assert_int_equal(node_stat(n, &st), 0);
	buffer_printf(ret, "%s %o %llx %u %u %lld %lld.%09ld %lld.%09ld\n",
		      path, st.st_mode, (unsigned long long)st.st_rdev,
		      st.st_uid, st.st_gid, (long long)st.st_size,
		      (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
		      (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	tell_xattrs(n, ret);
	if (!S_ISDIR(st.st_mode)) {
		buffer_printf(ret, "%s %u %s ", path, (unsigned int)st.st_nlink,
			      first_path(&st, path));
		tell_contents(n, &st, ret);
		buffer_puts(ret, "\n");
		return;
	}
	assert_int_equal(node_list(n, 0, add_name, &names), 0);
	qsort(names.name, names.count, sizeof(*names.name), by_text);
	for (size_t i = 0; i < names.count; i++) {
		char below[512];
		struct node *child;

		snprintf(below, sizeof(below), "%s/%s", path, names.name[i]);
		assert_int_equal(node_lookup(n, names.name[i], &child), 0);
		tell(child, below, ret);
		node_unref(child);
	}
}

static char *all(void)
{
	struct buffer b = { 0 };
	struct node *root = worktree_root(tree);

	seen_count = 0;
	tell(root, "", &b);
	node_unref(root);
	for (size_t i = 0; i < seen_count; i++)
		assert_int_equal(seen[i].links, seen[i].found);
	return b.data;
}

/* ---- captures ---- */

static int keep(void *context, struct delta *delta)
{
	*(struct delta **)context = delta;
	return 0;
}

static void store(struct delta *delta)
{
	static const struct timespec base = { 500, 0 };

	assert_int_equal(delta_store_own(delta, local), 0);
	assert_int_equal(delta_store(delta, odb, &stored), 0);
	assert_int_equal(local_store(delta, local, &face, false, &base, &base,
				     &face), 0);
	stored = delta->oid;
}

static void publish_one(void)
{
	struct delta *delta = pending[0];

	if (!pending_count)
		return;
	memmove(pending, pending + 1, --pending_count * sizeof(*pending));
	if (pending_count && roll(2) && delta_fold(delta, pending[0]) == 0) {
		delta_free(delta);
		return;
	}
	store(delta);
	worktree_adopt(tree, delta);
	delta_free(delta);
}

static void capture(void)
{
	struct delta *delta = NULL;

	if (pending_count == PENDING)
		publish_one();
	assert_int_equal(worktree_capture(tree, keep, &delta), 0);
	if (delta)
		pending[pending_count++] = delta;
}

/* ---- changes ---- */

static const char *some_name(void)
{
	static const char *const names[NAMES] = { "a", "b", "c", "d", "e",
						  GIT_NAME, IGNORE_NAME,
						  IGNORE_NAME };

	return names[roll(NAMES)];
}

/* A directory somewhere, with a reference. */
static struct node *some_directory(void)
{
	struct node *dir = worktree_root(tree), *child;

	while (roll(3) && node_lookup(dir, some_name(), &child) == 0) {
		if (node_type(child) != S_IFDIR) {
			node_unref(child);
			break;
		}
		node_unref(dir);
		dir = child;
	}
	return dir;
}

static void make_special(struct node *dir, const char *name,
			 const struct caller *caller, struct node **ret)
{
	static const mode_t types[] = { S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK };
	unsigned int type = roll(4);

	node_make_special(dir, name, types[type] | roll(0777),
			  type < 2 ? 0 : roll(UINT32_MAX), caller, ret);
}

static const char *some_rules(void)
{
	static const char *const rules[] = {
		"a\n", "*\n!b\n", "/b\nc/\n", "d/a\n!e\n", "",
	};

	return rules[roll(5)];
}

static void write_something(struct node *n, const char *name)
{
	const char *rules = some_rules();
	char text[16];
	int size = snprintf(text, sizeof(text), "%u", roll(1000));

	if (strcmp(name, IGNORE_NAME) == 0) {
		node_truncate(n, 0);
		node_write(n, rules, strlen(rules), 0, false);
	} else {
		node_write(n, text, size, roll(3), false);
	}
}

static void set_something(struct node *n)
{
	struct stat values = {
		.st_mode = roll(07777), .st_uid = roll(5), .st_gid = roll(5),
		.st_mtim = { (int64_t)roll(100000) - 500, roll(1000000000) },
	};

	node_set_attributes(n, &values, 1 + roll(31));
}

/* Some are few enough to be with the other facts. */
static void set_xattr(struct node *n)
{
	char value[1000], name[] = "user.a";

	name[5] += roll(4);
	memset(value, 'a' + roll(20), sizeof(value));
	if (roll(3))
		node_set_xattr(n, name, value, roll(roll(2) ? 50 : 1000), 0);
	else
		node_remove_xattr(n, name);
}

static void change(void)
{
	static const struct caller caller = { .uid = 1, .gid = 2 };
	struct node *dir = some_directory(), *other = NULL, *n = NULL;
	const char *name = some_name();

	switch (roll(14)) {
	case 0:
	case 1:
		node_make(dir, name, S_IFREG | roll(0777), &caller, &n);
		break;
	case 2:
		node_make(dir, name, S_IFDIR | roll(02777), &caller, &n);
		break;
	case 3:
		if (roll(2))
			node_unlink(dir, name);
		else
			node_rmdir(dir, name);
		break;
	case 4:
		other = some_directory();
		node_rename(dir, name, other, some_name(), roll(2) ? 0 : 2);
		break;
	case 5:
		node_symlink(dir, name, "x", &caller, &n);
		break;
	case 6:
		if (node_lookup(dir, name, &n) == 0)
			write_something(n, name);
		break;
	case 7:
		set_something(dir);
		break;
	case 8:
		make_special(dir, name, &caller, &n);
		break;
	case 9:
	case 10:
		other = some_directory();
		if (node_lookup(dir, name, &n) == 0)
			node_link(n, other, some_name());
		break;
	case 11:
		set_xattr(dir);
		break;
	case 12:
		if (node_lookup(dir, name, &n) == 0)
			set_xattr(n);
		break;
	default:
		if (node_lookup(dir, name, &n) == 0)
			set_something(n);
	}
	node_unref(n);
	node_unref(other);
	node_unref(dir);
}

static void step(void)
{
	switch (roll(12)) {
	case 0:
		capture();
		break;
	case 1:
		publish_one();
		break;
	case 2:
		assert_int_equal(worktree_apply_rules(tree), 0);
		break;
	default:
		change();
	}
}

/* Fails with the first line that differs. */
static void compare(const char *when, const char *before, const char *after)
{
	size_t line = 0;

	for (size_t i = 0; before[i] || after[i]; i++) {
		if (before[i] != after[i])
			fail_msg("%s: '%.*s' was '%.*s'", when,
				 (int)strcspn(after + line, "\n"), after + line,
				 (int)strcspn(before + line, "\n"),
				 before + line);
		if (before[i] == '\n')
			line = i + 1;
	}
}

/* Git has every file that is not own, and nothing else. */
static size_t check_git(struct node *dir, const struct oid *oid, bool is_hidden)
{
	struct names names = { 0 };
	struct tree *git;
	size_t found = 0;

	assert_int_equal(tree_read(odb, oid, &git), 0);
	assert_int_equal(node_list(dir, 0, add_name, &names), 0);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.name[i];
		const struct tree_entry *e = tree_find(git, name);
		bool hidden = is_hidden || strcmp(name, GIT_NAME) == 0;
		struct node *n;

		assert_int_equal(node_lookup(dir, name, &n), 0);
		if (node_is_directory(n))
			assert_int_equal(check_git(n, e ? &e->oid :
						   &oid_empty_tree, hidden) > 0,
					 e != NULL);
		else
			assert_int_equal(!n->own && !node_is_special(n),
					 e != NULL);
		assert_false(hidden && e);
		found += e != NULL;
		node_unref(n);
	}
	assert_int_equal(found, git->count);
	tree_free(git);
	return found;
}

static void remount_and_compare(void)
{
	char *before, *settled, *after;

	capture();
	before = all();
	while (pending_count)
		publish_one();
	settled = all();
	compare("adopted", before, settled);
	assert_false(worktree_is_changed(tree, NULL));
	worktree_unref(tree);
	mount();
	check_git(tree->root, &stored, false);
	after = all();
	compare("mounted again", before, after);
	free(before);
	free(settled);
	free(after);
}

static void all_is_there_after_a_remount(void **state)
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		roll_seed = round;
		stored = face = (struct oid){ 0 };
		mount();
		for (unsigned int i = 0; i < 3; i++) {
			for (unsigned int j = 0; j < STEPS; j++)
				step();
			remount_and_compare();
		}
		worktree_unref(tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_there_after_a_remount),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
