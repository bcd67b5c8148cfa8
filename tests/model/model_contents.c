/* SPDX-License-Identifier: ISC */
#include "tests/model/small_pool.h"
#include "tests/pipes.h"
#include "tests/sanitized.h"
#include "tests/test.h"
#include "store/overlay.h"
#include "store/tree.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Contents against plain arrays, with budgets so small that blocks are spilled,
 * dropped and read back all the time.  IRMINFS_MODEL_ROUNDS multiplies the
 * number of operations. */

#define FILES 4
#define SNAPSHOTS 5

struct file {
	struct contents *c;
	unsigned char *data;	/* zeros behind size */
	size_t size;
	unsigned int incarnation;
};

struct snapshot {
	struct contents *c;
	unsigned char *data;
	size_t size;
	unsigned int file, incarnation;
};

/* Pairs of a live contents and a snapshot of it, stored by another thread. */
struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct contents *c[8], *snapshot[8];
	size_t count;
	bool ended;
	struct odb *odb;
};

struct model {
	struct odb *odb;
	struct pool *pool;
	struct queue *queue;	/* or NULL */
	size_t most;		/* largest file */
	unsigned char *scratch;
	bool whole;		/* compare whole files, not only windows */
	unsigned int store_odds;
	uint64_t random;
	struct file files[FILES];
	struct snapshot snapshots[SNAPSHOTS];
	struct oid oids[16];
	size_t oid_count;
};

static uint64_t draw(struct model *m, uint64_t below)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (m->random >> 11) % below;
}

/* Often at block boundaries, where the mistakes are. */
static size_t draw_offset(struct model *m, size_t below)
{
	size_t offset = draw(m, below + 1);

	switch (draw(m, 6)) {
	case 0:
		return offset & ~(size_t)65535;
	case 1:
		return offset & ~(size_t)4095;
	case 2:
		return offset & ~(((size_t)32 << 20) - 1);
	}
	return offset;
}

static size_t draw_length(struct model *m, size_t most)
{
	static const size_t lengths[] = { 1, 100, 4096, 65536, 131072, 1 << 30 };
	size_t length = draw(m, lengths[draw(m, 6)]) + 1;

	if (draw(m, 4) == 0)
		length = (length + 65535) & ~(size_t)65535;
	return length < most ? length : most;
}

static unsigned char *map_bytes(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void fill(struct model *m, unsigned char *data, size_t size)
{
	uint64_t x = draw(m, UINT32_MAX) | 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		data[i] = x >> 56;
	}
}

static void check_window(struct model *m, struct contents *c,
			 const unsigned char *data, size_t size, size_t offset,
			 size_t length)
{
	unsigned char *read = m->scratch;
	size_t want = offset >= size ? 0 : size - offset;

	if (want > length)
		want = length;
	memset(read, 0xee, length < 65536 ? length : 65536);
	assert_int_equal(contents_read(c, read, length, offset), want);
	assert_memory_equal(read, data + offset, want);
}

static void check(struct model *m, struct contents *c,
		  const unsigned char *data, size_t size)
{
	assert_int_equal(contents_size(c), size);
	if (m->whole && draw(m, 4) == 0)
		check_window(m, c, data, size, 0, m->most + 1);
	for (int i = 0; i < 3; i++) {
		size_t offset = draw_offset(m, m->most);

		check_window(m, c, data, size, offset, draw_length(m, 200000));
	}
}

/* ---- operations ---- */

/* Whole blocks come out of a pipe. */
static void write_bytes(struct contents *c, const unsigned char *data,
			size_t length, size_t offset)
{
	size_t left;

	if ((offset | length) % 65536) {
		assert_int_equal(contents_write(c, data, length, offset),
				 length);
		return;
	}
	assert_int_equal(move_bytes(c, data, length, offset, &left), length);
	assert_int_equal(left, 0);
}

static void do_write(struct model *m, struct file *f)
{
	size_t offset = draw_offset(m, draw(m, 3) ? f->size : m->most - 1);
	size_t length = draw_length(m, m->most);

	if (offset >= m->most)
		offset = 0;
	if (length > m->most - offset)
		length = m->most - offset;
	if (length > 393216)
		length = 393216;
	fill(m, f->data + offset, length);
	write_bytes(f->c, f->data + offset, length, offset);
	if (f->size < offset + length)
		f->size = offset + length;
}

static void do_truncate(struct model *m, struct file *f)
{
	size_t size = draw_offset(m, draw(m, 2) ? f->size : m->most);

	assert_int_equal(contents_truncate(f->c, size), 0);
	if (size < f->size)
		memset(f->data + size, 0, f->size - size);
	f->size = size;
}

static void do_zero(struct model *m, struct file *f)
{
	size_t offset = draw_offset(m, m->most);
	size_t length = draw_length(m, m->most);

	assert_int_equal(contents_zero(f->c, offset, length), 0);
	if (offset >= f->size)
		return;
	if (length > f->size - offset)
		length = f->size - offset;
	memset(f->data + offset, 0, length);
}

static void share(struct model *m, struct contents *from,
		  const unsigned char *data, size_t from_size, struct file *to)
{
	size_t from_offset = draw_offset(m, from_size);
	size_t to_offset = draw(m, 3) ? from_offset : draw_offset(m, to->size);
	size_t length = draw_length(m, m->most), n;
	ssize_t r;

	if (draw(m, 3) == 0) {
		from_offset = to_offset = 0;
		length = m->most;
	}
	if (draw(m, 4) == 0) {
		assert_int_equal(contents_truncate(to->c, 0), 0);
		memset(to->data, 0, to->size);
		to->size = 0;
	}
	n = from_offset < from_size ? from_size - from_offset : 0;
	if (n > length)
		n = length;
	if (n > m->most - to_offset)
		length = n = m->most - to_offset;
	r = contents_share(from, from_offset, to->c, to_offset, length);
	assert_int_equal(r, n);
	memcpy(to->data + to_offset, data + from_offset, n);
	if (n && to->size < to_offset + n)
		to->size = to_offset + n;
}

static void do_share_inside(struct model *m, struct file *f)
{
	size_t half = f->size / 2;
	size_t to_offset = half & ~(size_t)(draw(m, 2) ? 65535 : 0);
	size_t n = draw_length(m, to_offset);

	if (!n)
		return;
	assert_int_equal(contents_share(f->c, 0, f->c, to_offset, n), n);
	memcpy(f->data + to_offset, f->data, n);
	assert_int_equal(contents_share(f->c, 1, f->c, 0, 2), -EINVAL);
}

static void do_share(struct model *m, struct file *to)
{
	struct file *from = &m->files[draw(m, FILES)];
	struct snapshot *s = &m->snapshots[draw(m, SNAPSHOTS)];

	if (s->c && draw(m, 3) == 0)
		share(m, s->c, s->data, s->size, to);
	else if (from != to)
		share(m, from->c, from->data, from->size, to);
	else if (to->size > 3)
		do_share_inside(m, to);
}

static void check_data_size(const struct file *f)
{
	off_t data = contents_seek(f->c, 0, SEEK_DATA), hole;
	size_t bytes = 0;

	while (data != -ENXIO) {
		hole = contents_seek(f->c, data, SEEK_HOLE);
		bytes += hole - data;
		data = contents_seek(f->c, hole, SEEK_DATA);
	}
	assert_int_equal(contents_data_size(f->c), bytes);
}

static void do_seek(struct model *m, struct file *f)
{
	size_t at = draw_offset(m, f->size ? f->size - 1 : 0), end;
	off_t data = contents_seek(f->c, at, SEEK_DATA);
	off_t hole = contents_seek(f->c, at, SEEK_HOLE);

	if (at >= f->size) {
		assert_int_equal(data, -ENXIO);
		assert_int_equal(hole, -ENXIO);
		return;
	}
	end = data == -ENXIO ? (off_t)f->size : data;
	for (size_t i = at; i < end; i++)
		assert_int_equal(f->data[i], 0);
	assert_in_range(hole, at, f->size);
	data = contents_seek(f->c, hole, SEEK_DATA);
	end = data == -ENXIO ? (off_t)f->size : data;
	for (size_t i = hole; i < end; i++)
		assert_int_equal(f->data[i], 0);
	check_data_size(f);
}

static void drop_snapshot(struct model *m, struct snapshot *s)
{
	contents_unref(s->c);
	munmap(s->data, m->most + 1);
	*s = (struct snapshot){ 0 };
}

static void do_snapshot(struct model *m, struct file *f)
{
	struct snapshot *s = &m->snapshots[draw(m, SNAPSHOTS)];

	if (s->c)
		drop_snapshot(m, s);
	s->data = map_bytes(m->most + 1);
	memcpy(s->data, f->data, f->size);
	s->size = f->size;
	s->file = f - m->files;
	s->incarnation = f->incarnation;
	assert_int_equal(contents_snapshot(f->c, &s->c), 0);
	assert_int_equal(contents_write(s->c, "x", 1, 0), -EROFS);
	assert_int_equal(contents_truncate(s->c, m->most), -EROFS);
	assert_int_equal(contents_zero(s->c, 0, 1), -EROFS);
}

static void check_blob(struct model *m, const struct oid *oid,
		       const struct snapshot *s)
{
	scoped_free void *data = NULL;
	size_t size;

	assert_int_equal(odb_read(m->odb, oid, OBJECT_BLOB, &data, &size), 0);
	assert_int_equal(size, s->size);
	assert_memory_equal(data, s->data, size);
}

static void enqueue(struct queue *q, struct contents *c,
		    struct contents *snapshot)
{
	SCOPED_LOCK(&q->lock);

	if (q->count == 8)
		return;
	q->c[q->count] = contents_ref(c);
	q->snapshot[q->count++] = contents_ref(snapshot);
	pthread_cond_signal(&q->changed);
}

static void do_store(struct model *m, struct snapshot *s)
{
	struct file *f = &m->files[s->file];
	bool is_live = f->incarnation == s->incarnation;
	struct oid oid;

	if (is_live && m->queue && draw(m, 2)) {
		enqueue(m->queue, f->c, s->c);
		return;
	}
	assert_int_equal(contents_store(s->c, m->odb, &oid), 0);
	check_blob(m, &oid, s);
	m->oids[m->oid_count++ % 16] = oid;
	if (is_live && draw(m, 4))
		contents_stored_as(f->c, s->c, MODE_FILE, &oid);
}

/* The file goes; another one is new or stored. */
static void do_replace(struct model *m, struct file *f)
{
	const struct oid *oid = &m->oids[draw(m, 16)];
	scoped_free void *data = NULL;
	size_t size;

	contents_unref(f->c);
	f->incarnation++;
	memset(f->data, 0, f->size);
	f->size = 0;
	if (oid_is_zero(oid)) {
		assert_int_equal(overlay_new(m->pool, &f->c), 0);
		return;
	}
	assert_int_equal(odb_read(m->odb, oid, OBJECT_BLOB, &data, &size), 0);
	memcpy(f->data, data, size);
	f->size = size;
	assert_int_equal(overlay_new_stored(m->pool, oid, size, &f->c), 0);
}

static void step(struct model *m)
{
	struct file *f = &m->files[draw(m, FILES)];
	struct snapshot *s = &m->snapshots[draw(m, SNAPSHOTS)];
	unsigned int what = draw(m, 100);

	if (what < 40)
		do_write(m, f);
	else if (what < 48)
		do_truncate(m, f);
	else if (what < 56)
		do_zero(m, f);
	else if (what < 70)
		do_share(m, f);
	else if (what < 78)
		do_seek(m, f);
	else if (what < 80)
		do_replace(m, f);
	else if (what < 80 + m->store_odds)
		do_snapshot(m, f);
	else if (what < 80 + 2 * m->store_odds && s->c)
		do_store(m, s);
	check(m, f->c, f->data, f->size);
	if (s->c)
		check(m, s->c, s->data, s->size);
}

/* ---- running ---- */

static void begin(struct model *m)
{
	m->scratch = map_bytes(m->most + 1);
	for (int i = 0; i < FILES; i++) {
		m->files[i].data = map_bytes(m->most + 1);
		assert_int_equal(overlay_new(m->pool, &m->files[i].c), 0);
	}
}

static void end(struct model *m)
{
	for (int i = 0; i < FILES; i++) {
		struct file *f = &m->files[i];

		check_window(m, f->c, f->data, f->size, 0, m->most + 1);
		contents_unref(f->c);
		munmap(f->data, m->most + 1);
	}
	for (int i = 0; i < SNAPSHOTS; i++) {
		struct snapshot *s = &m->snapshots[i];

		if (!s->c)
			continue;
		check_window(m, s->c, s->data, s->size, 0, m->most + 1);
		drop_snapshot(m, s);
	}
	munmap(m->scratch, m->most + 1);
}

static void run(size_t most, bool whole, unsigned int store_odds,
		unsigned int steps, uint64_t seed)
{
	struct model m = {
		.most = most, .whole = whole, .store_odds = store_odds,
		.random = seed * 0x9e3779b97f4a7c15u + 1,
	};
	struct pool_stats stats;
	int fd;

	open_pool(&m.odb, &fd, &m.pool);
	begin(&m);
	for (unsigned int i = 0; i < steps; i++)
		step(&m);
	pool_get_stats(m.pool, &stats);
	assert_true(stats.block_bytes <= 300 << 10);
	end(&m);
	close_pool(m.odb, fd, m.pool);
}

static void small_files_equal_arrays(void **state)
{
	for (unsigned int seed = 1; seed <= rounds(2); seed++)
		run(70000, true, 10, 1000, seed);
}

static void files_of_some_blocks_equal_arrays(void **state)
{
	for (unsigned int seed = 1; seed <= rounds(2); seed++)
		run(700000, true, 10, 800, seed);
}

static void files_of_some_groups_equal_arrays(void **state)
{
	for (unsigned int seed = 1; seed <= rounds(1); seed++)
		run(40 << 20, false, 2, 150, seed);
}

/* ---- threads ---- */

static bool dequeue(struct queue *q, struct contents **ret_c,
		    struct contents **ret_snapshot)
{
	SCOPED_LOCK(&q->lock);

	while (!q->count && !q->ended)
		pthread_cond_wait(&q->changed, &q->lock);
	if (!q->count)
		return false;
	q->count--;
	*ret_c = q->c[q->count];
	*ret_snapshot = q->snapshot[q->count];
	return true;
}

static void *store_queued(void *argument)
{
	struct queue *q = argument;
	struct contents *c, *snapshot;
	struct oid oid;

	while (dequeue(q, &c, &snapshot)) {
		if (contents_store(snapshot, q->odb, &oid) < 0)
			abort();
		contents_stored_as(c, snapshot, MODE_FILE, &oid);
		contents_unref(snapshot);
		contents_unref(c);
	}
	return NULL;
}

static void *run_model(void *argument)
{
	struct model *m = argument;

	begin(m);
	for (unsigned int i = 0; i < rounds(400); i++)
		step(m);
	end(m);
	return NULL;
}

/* Threads with files of their own share budgets, spill file and blobs. */
static void threads_do_not_disturb_each_other(void **state)
{
	struct queue queue = { .lock = PTHREAD_MUTEX_INITIALIZER,
			       .changed = PTHREAD_COND_INITIALIZER };
	struct model models[3] = { 0 };
	pthread_t threads[3], storer;
	struct pool *pool;
	int fd;

	open_pool(&queue.odb, &fd, &pool);
	assert_int_equal(pthread_create(&storer, NULL, store_queued, &queue), 0);
	for (int i = 0; i < 3; i++) {
		models[i] = (struct model){
			.odb = queue.odb, .pool = pool, .queue = &queue,
			.most = 500000, .whole = true, .store_odds = 10,
			/* Two do the same and so share blobs. */
			.random = i / 2 + 77,
		};
		assert_int_equal(pthread_create(&threads[i], NULL, run_model,
						&models[i]), 0);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	pthread_mutex_lock(&queue.lock);
	queue.ended = true;
	pthread_cond_signal(&queue.changed);
	pthread_mutex_unlock(&queue.lock);
	pthread_join(storer, NULL);
	close_pool(queue.odb, fd, pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_files_equal_arrays),
		cmocka_unit_test(files_of_some_blocks_equal_arrays),
		cmocka_unit_test(files_of_some_groups_equal_arrays),
		cmocka_unit_test(threads_do_not_disturb_each_other),
	};

	return cmocka_run_group_tests_name("contents", tests, NULL, NULL);
}
