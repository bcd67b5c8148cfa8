/* SPDX-License-Identifier: ISC */
#include "tests/shell.h"
#include "tests/rope_test.h"
#include "tests/sanitized.h"
#include "store/git_repo.h"
#include "structures/chunk.h"
#include "structures/rope_store.h"

/* Stored ropes against arrays: whatever led to the bytes, the tree is that of a
 * rope that was made of them at once; and it reads as they are. */

#define SIZE_MOST (600 << 10)

struct world {
	struct odb *odb;
	struct rope *rope;
	unsigned char *data, *copy;
	size_t size;
	uint64_t random;
	struct oid oid, older;		/* stored last, and before */
	unsigned char *older_data;
	size_t older_size;
};

static void world_init(struct world *w, struct odb *odb, uint64_t seed)
{
	*w = (struct world){ .odb = odb, .random = seed };
	w->data = malloc(SIZE_MOST);
	w->copy = malloc(SIZE_MOST);
	w->older_data = malloc(SIZE_MOST);
	assert_true(w->data && w->copy && w->older_data);
	assert_int_equal(rope_new(&w->rope), 0);
	assert_int_equal(rope_store(w->rope, odb, false, &w->oid), 0);
	w->older = w->oid;
}

static void world_release(struct world *w)
{
	rope_free(w->rope);
	free(w->data);
	free(w->copy);
	free(w->older_data);
}

/* Text, random bytes, or one byte over and over. */
static void fill(struct world *w, unsigned char *data, size_t size)
{
	unsigned int kind = draw(&w->random, 8), byte = draw(&w->random, 256);

	for (size_t i = 0; i < size; i++)
		data[i] = kind == 0 ? byte : kind == 1 ? i % 7 :
			  draw(&w->random, 30) ? draw(&w->random, 256) : '\n';
}

static size_t draw_size(struct world *w)
{
	switch (draw(&w->random, 10)) {
	case 0:
		return draw(&w->random, 150000);
	case 1: case 2:
		return draw(&w->random, CHUNK_MAX);
	}
	return draw(&w->random, 20);
}

static void do_replace(struct world *w)
{
	size_t at = draw(&w->random, w->size + 1), size = draw_size(w);
	size_t removed = draw_size(w);

	if (removed > w->size - at)
		removed = w->size - at;
	if (w->size - removed + size > SIZE_MOST)
		size = 0;
	fill(w, w->copy, size);
	assert_int_equal(rope_delete(w->rope, at, removed), 0);
	assert_int_equal(rope_insert(w->rope, at, w->copy, size), 0);
	memmove(w->data + at + size, w->data + at + removed,
		w->size - at - removed);
	memcpy(w->data + at, w->copy, size);
	w->size += size - removed;
}

static void do_write(struct world *w)
{
	size_t at = draw(&w->random, w->size + 1), size = draw_size(w);

	if (size > SIZE_MOST - at)
		return;
	fill(w, w->data + at, size);
	assert_int_equal(rope_write(w->rope, at, w->data + at, size), 0);
	if (at + size > w->size)
		w->size = at + size;
}

/* A part of what was stored before the last time comes back. */
static void do_insert_older(struct world *w)
{
	size_t at = draw(&w->random, w->size + 1), from, size;
	struct rope *older;

	from = draw(&w->random, w->older_size + 1);
	size = draw(&w->random, w->older_size - from + 1);
	if (w->size + size > SIZE_MOST)
		return;
	assert_int_equal(rope_load(w->odb, &w->older, &older), 0);
	assert_int_equal(rope_insert_rope(w->rope, at, older, from, size), 0);
	rope_free(older);
	memmove(w->data + at + size, w->data + at, w->size - at);
	memcpy(w->data + at, w->older_data + from, size);
	w->size += size;
}

/* Half of a rope that was stored takes what it remembers with it. */
static void do_cut(struct world *w)
{
	size_t at = draw(&w->random, w->size + 1);
	struct rope *tail;

	assert_int_equal(rope_split(w->rope, at, &tail), 0);
	if (draw(&w->random, 2)) {
		rope_free(w->rope);
		w->rope = tail;
		memmove(w->data, w->data + at, w->size - at);
		w->size -= at;
	} else {
		rope_free(tail);
		w->size = at;
	}
}

static void check_bytes(struct world *w, struct rope *rope)
{
	assert_int_equal(rope_size(rope), w->size);
	assert_int_equal(rope_read(rope, w->copy, SIZE_MOST, 0), w->size);
	assert_memory_equal(w->copy, w->data, w->size);
}

static void check_header(struct world *w)
{
	struct rope_header header;

	assert_int_equal(rope_read_header(w->odb, &w->oid, &header), 0);
	assert_int_equal(header.size, w->size);
	assert_int_equal(header.newlines,
			 rope_count_newlines(w->data, w->size));
	assert_false(header.executable);
}

static void check_lines(struct world *w, struct rope *rope)
{
	uint64_t at = draw(&w->random, w->size + 1), line, start;

	assert_int_equal(rope_line_of(rope, at, &line), 0);
	assert_int_equal(line, rope_count_newlines(w->data, at));
	assert_int_equal(rope_line_start(rope, line, &start), 0);
	while (at && w->data[at - 1] != '\n')
		at--;
	assert_int_equal(start, at);
}

static void do_store(struct world *w)
{
	struct rope *fresh, *loaded;
	struct oid oid;

	w->older = w->oid;
	assert_int_equal(rope_store(w->rope, w->odb, false, &w->oid), 0);
	assert_int_equal(rope_new(&fresh), 0);
	assert_int_equal(rope_append(fresh, w->data, w->size), 0);
	assert_int_equal(rope_store(fresh, w->odb, false, &oid), 0);
	rope_free(fresh);
	assert_true(oid_equal(&oid, &w->oid));
	check_header(w);
	check_bytes(w, w->rope);
	assert_int_equal(rope_load(w->odb, &oid, &loaded), 0);
	check_lines(w, loaded);
	check_bytes(w, loaded);
	memcpy(w->older_data, w->data, w->size);
	w->older_size = w->size;
	w->older = w->oid;
	if (draw(&w->random, 2)) {
		rope_free(w->rope);
		w->rope = loaded;
	} else {
		rope_free(loaded);
	}
}

static void run(struct world *w, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		switch (draw(&w->random, 24)) {
		case 0: case 1: case 2:
			do_store(w);
			break;
		case 3:
			do_insert_older(w);
			break;
		case 4:
			if (draw(&w->random, 4) == 0)
				do_cut(w);
			break;
		case 5: case 6: case 7:
			do_write(w);
			break;
		default:
			do_replace(w);
		}
	}
	do_store(w);
	check_rope(w->rope);
}

static void the_tree_depends_on_the_bytes_alone(void **state)
{
	unsigned int rounds = operations(20);

	for (unsigned int i = 0; i < rounds; i++) {
		struct world w;
		struct odb *odb;

		assert_int_equal(memory_odb_new(&odb), 0);
		world_init(&w, odb, 1000 + i);
		run(&w, 600);
		world_release(&w);
		odb_free(odb);
	}
}

static void git_finds_nothing_wrong(void **state)
{
	struct oid zero = { { 0 } }, commit;
	char *dir = shell_begin(), path[256], hex[OID_HEX_SIZE];
	struct git_repo *repo;
	struct world w;

	snprintf(path, sizeof(path), "%s/r", dir);
	assert_int_equal(git_repo_open(path, true, &repo, NULL), 0);
	world_init(&w, git_repo_odb(repo), 5);
	run(&w, 400);
	assert_int_equal(odb_flush(w.odb), 0);
	commit = shell_oid(path, "git commit-tree -m x %s",
			   oid_hex(&w.oid, hex));
	assert_int_equal(git_ref_update(repo, "refs/heads/main", &zero, &commit,
					"test"), 0);
	shell_do(path, "git fsck --strict --no-dangling");
	shell_do(path, "git gc -q --prune=now && git fsck --strict");
	git_objects_refresh(repo);
	rope_free(w.rope);
	assert_int_equal(rope_load(w.odb, &w.oid, &w.rope), 0);
	check_bytes(&w, w.rope);
	world_release(&w);
	git_repo_free(repo);
	shell_end(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tree_depends_on_the_bytes_alone),
		cmocka_unit_test(git_finds_nothing_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
