/* SPDX-License-Identifier: ISC */
#include "tests/links_test.h"

/* Files with several names against a plain map of places to files: random links,
 * unlinks, renames and writes, with captures, folds, late adoptions, remounts,
 * crashes and changes from outside between them. */

#define ROUNDS 600
#define STEPS 150

static unsigned int links_made, partings, busy_groups;

/* ---- changes ---- */

static void make(int place)
{
	static const struct caller caller = { .uid = 1, .gid = 2 };
	struct file file = { .number = ++last_number, .mode = 0640 };
	struct node *dir = dir_of(place), *n;
	int r = node_make(dir, name_of(place), S_IFREG | 0640, &caller, &n);

	if (now.place[place].number) {
		assert_int_equal(r, -EEXIST);
	} else {
		assert_int_equal(r, 0);
		now.place[place] = file;
		node_unref(n);
	}
	node_unref(dir);
}

static void link_place(int from, int to)
{
	struct node *n = node_of(from), *dir = dir_of(to);
	int r = node_link(n, dir, name_of(to));

	if (now.place[to].number) {
		assert_int_equal(r, -EEXIST);
	} else {
		assert_int_equal(r, 0);
		now.place[to] = now.place[from];
		links_made++;
	}
	node_unref(n);
	node_unref(dir);
}

static void unlink_place(int place)
{
	struct node *dir = dir_of(place);

	assert_int_equal(node_unlink(dir, name_of(place)), 0);
	now.place[place].number = 0;
	node_unref(dir);
}

static void rename_place(int from, int to, bool exchange)
{
	struct node *a = dir_of(from), *b = dir_of(to);
	struct file moved = now.place[from], other = now.place[to];
	int r = node_rename(a, name_of(from), b, name_of(to),
			    exchange ? RENAME_EXCHANGE : 0);

	node_unref(a);
	node_unref(b);
	if (exchange && !other.number) {
		assert_int_equal(r, -ENOENT);
		return;
	}
	assert_int_equal(r, 0);
	if (moved.number == other.number)
		return;
	now.place[to] = moved;
	now.place[from] = other;
	if (!exchange)
		now.place[from].number = 0;
}

static void exchange_dirs(void)
{
	struct node *a, *root = worktree_root(tree);

	assert_int_equal(worktree_lookup(tree, "a", &a), 0);
	assert_int_equal(node_rename(a, "b", root, "c", RENAME_EXCHANGE), 0);
	for (int i = 0; i < NAMES; i++) {
		struct file file = now.place[2 * NAMES + i];

		now.place[2 * NAMES + i] = now.place[3 * NAMES + i];
		now.place[3 * NAMES + i] = file;
	}
	node_unref(a);
	node_unref(root);
}

static void write_place(int place)
{
	struct file file = now.place[place];
	size_t offset = roll(TEXT / 2), size = 1 + roll(TEXT / 2);
	struct node *n = node_of(place);

	if (roll(4) == 0) {
		assert_int_equal(node_truncate(n, offset), 0);
		if (file.size < offset)
			memset(file.text + file.size, 0, offset - file.size);
		file.size = offset;
	} else {
		char text[TEXT];

		memset(text, 'a' + roll(26), size);
		assert_int_equal(node_write(n, text, size, offset, false), size);
		if (file.size < offset)
			memset(file.text + file.size, 0, offset - file.size);
		memcpy(file.text + offset, text, size);
		if (file.size < offset + size)
			file.size = offset + size;
	}
	change_file(&file);
	node_unref(n);
}

static void change_mode(int place)
{
	static const mode_t modes[] = { 0600, 0640, 0755 };
	struct file file = now.place[place];
	struct stat values = { .st_mode = modes[roll(3)] };
	struct node *n = node_of(place);

	assert_int_equal(node_set_attributes(n, &values, NODE_SET_MODE), 0);
	file.mode = values.st_mode;
	change_file(&file);
	node_unref(n);
}

static void hold(int place)
{
	int i = roll(HELD);

	node_unref(held[i].node);
	held[i].node = node_of(place);
	held[i].number = now.place[place].number;
}

/* ---- from outside ---- */

static int take_nothing(void *context, struct delta *delta)
{
	return 0;
}

static void store_text(const struct file *file, struct oid *ret)
{
	assert_int_equal(odb_write(odb, OBJECT_BLOB, file->text, file->size,
				   ret), 0);
}

static int add_at(struct delta *delta, const char *path, const struct file *file)
{
	const char *slash = strchr(path, '/');
	scoped_free char *name = strndup(path, strcspn(path, "/"));
	struct delta_entry *e = NULL;

	for (size_t i = 0; slash && i < delta->count; i++)
		if (strcmp(delta->entries[i].name, name) == 0)
			e = &delta->entries[i];
	if (!e) {
		e = delta_add(delta, slash ? DELTA_DIRECTORY : file->number ?
			      DELTA_OBJECT : DELTA_REMOVED,
			      slash ? MODE_TREE : file->mode & 0100 ?
			      MODE_EXECUTABLE : MODE_FILE, name);
		if (slash)
			e->directory = delta_new(false);
	}
	if (slash)
		return add_at(e->directory, slash + 1, file);
	if (file->number)
		store_text(file, &e->oid);
	return 0;
}

/* The tree with some places changed, each a file of its own now. */
static struct oid change_outside(void)
{
	struct delta *delta = delta_new(false);
	unsigned int removed_dir = roll(8);
	struct oid oid;

	for (int i = 0; i < PLACES; i++) {
		struct file *file = &now.place[i];
		bool goes = (int)removed_dir == i / NAMES;
		char path[16];

		if (!goes && roll(5))
			continue;
		if (count_names(file->number) > 1 && file->number)
			partings++;
		if (goes || roll(3) == 0) {
			if (!file->number)
				continue;
			file->number = 0;
		} else {
			bool had = file->number;

			file->number = ++last_number;
			file->size = 1 + roll(TEXT);
			/* as no file before */
			snprintf(file->text, TEXT, "%023u", last_number);
			file->size = TEXT - 1;
			if (!had)
				file->mode = 0644;
		}
		path_of(i, path);
		add_at(delta, path, file);
	}
	assert_int_equal(delta_store(delta, odb, &stored), 0);
	oid = delta->oid;
	delta_free(delta);
	return oid;
}

static void apply(void)
{
	static const struct timespec base = { 500, 0 };
	struct timespec time;
	struct delta *delta;
	char *path = NULL;
	struct oid oid;

	publish_all();
	oid = change_outside();
	assert_int_equal(delta_between(odb, &stored, &oid, &delta), 0);
	assert_int_equal(worktree_apply(tree, delta, NULL, take_nothing, NULL,
					&path), 0);
	time = worktree_apply_time(tree);
	assert_int_equal(local_store(delta, local, &face, true, &base, &time,
				     &face), 0);
	stored = oid;
	then = now;
	delta_free(delta);
	make_dirs();
}

/* A name of what is open for writing is not replaced. */
static void apply_busy(int place)
{
	struct node *n = node_of(place);
	struct delta *delta = delta_new(false);
	struct file file = { .number = 1, .size = 1, .text = "!" };
	int other = place;
	char path[16], *busy = NULL;

	publish_all();
	for (int i = 0; i < PLACES; i++)
		if (i != place && now.place[i].number == now.place[place].number)
			other = i;
	busy_groups += other != place;
	node_writer_begin(n);
	path_of(other, path);
	add_at(delta, path, &file);
	assert_int_equal(delta_store(delta, odb, &stored), 0);
	assert_int_equal(worktree_apply(tree, delta, NULL, take_nothing, NULL,
					&busy), -EBUSY);
	assert_string_equal(busy, path);
	free(busy);
	delta_free(delta);
	node_writer_end(n);
	node_unref(n);
}

/* ---- all ---- */

static void change(void)
{
	int place = taken(), other = roll(PLACES);

	if (place < 0) {
		make(other);
		return;
	}
	switch (roll(12)) {
	case 0:
		make(other);
		break;
	case 1:
	case 2:
	case 3:
		link_place(place, other);
		break;
	case 4:
		unlink_place(place);
		break;
	case 5:
		rename_place(place, other, roll(3) == 0);
		break;
	case 6:
		exchange_dirs();
		break;
	case 7:
		change_mode(place);
		break;
	case 8:
		hold(place);
		break;
	default:
		write_place(place);
	}
}

static void step(void)
{
	switch (roll(40)) {
	case 0:
	case 1:
	case 2:
		capture();
		break;
	case 3:
	case 4:
		publish_one();
		break;
	case 5:
	case 6:
		remount();
		break;
	case 7:
		crash();
		break;
	case 8:
	case 9:
		apply();
		break;
	case 10:
		if (taken() >= 0)
			apply_busy(taken());
		break;
	case 11:
	case 12:
	case 13:
		check();
		break;
	default:
		change();
	}
}

static void names_follow_the_map(void **state)
{
	for (unsigned int round = 0; round < ROUNDS; round++) {
		roll_seed = round;
		stored = face = (struct oid){ 0 };
		now = then = (struct world){ 0 };
		mount();
		make_dirs();
		publish_all();
		for (unsigned int i = 0; i < STEPS; i++)
			step();
		check();
		remount();
		assert_false(worktree_is_changed(tree, NULL));
		check();
		remount();
		check();
		let_go();
		worktree_unref(tree);
	}
	/* What is to be tried came up. */
	assert_true(links_made > ROUNDS);
	assert_true(partings > ROUNDS);
	assert_true(busy_groups > ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_follow_the_map),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
