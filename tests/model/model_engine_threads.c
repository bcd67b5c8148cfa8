/* SPDX-License-Identifier: ISC */
#include "tests/unit/engine_fake.h"
#include "tests/unit/journal_fake.h"
#include "store/overlay.h"

#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>

/* IRMINFS_ROUNDS=N: that many rounds.
 *
 * Threads cut, wait and publish on a few branches, while another makes disks full
 * and refs locked, and free again.  Each thread counts in a file of its own; what
 * the branch has in the end is at least what was acknowledged and at most what
 * was asked for, whether the engine was closed or stopped. */

#define THREADS 5
#define BRANCHES 3
#define CUTS 150		/* of a thread in a round */
#define ROUNDS_DEFAULT 8

struct writer {
	pthread_t thread;
	unsigned int number, seed;
	uint64_t branch;
	int asked, acknowledged;	/* counts */
};

static struct disk disk;
static struct pool *pool;
static uint64_t branches[BRANCHES];
static struct writer writers[THREADS];
static _Atomic bool is_over;

static void open_it(void)
{
	const struct engine_options options = {
		.odb = odb, .storage = &fake.storage, .clock = fake_clock,
		.journal = disk_files(&disk), .pool = pool,
		.pause_ns = 2000000,
	};
	struct report report = { "" };

	if (engine_open(&options, &engine, &report) < 0)
		fail_msg("%s", report.text);
}

/* ---- writers ---- */

static int cut_one(struct writer *w, uint64_t *ret_sequence)
{
	struct cut *cut = cut_new(1);
	struct record *record = &cut->records[0];
	char name[16], text[16];
	size_t length = rand_r(&w->seed) % 20000;

	snprintf(name, sizeof(name), "file%u", w->number);
	snprintf(text, sizeof(text), "%d", w->asked + 1);
	*record = commit_of(w->branch, name, text);
	if (rand_r(&w->seed) % 4) {
		free(record->commit->message);
		record->commit->message = NULL;
	}
	record->trailers = calloc(1, length + 1);
	memset(record->trailers, 't', length);
	record->direct = rand_r(&w->seed) % 30 == 0;
	cut->timer = rand_r(&w->seed) % 5 == 0;
	return engine_cut(engine, cut, ret_sequence);
}

struct later {
	struct engine_waiter waiter;
	sem_t told;
	int result;
};

static void tell(struct engine_waiter *waiter, int result)
{
	struct later *later = (struct later *)waiter;

	later->result = result;
	sem_post(&later->told);
}

static int wait_later(uint64_t sequence)
{
	struct later later = { .waiter = {
		.done = tell, .prev = &later.waiter,	/* a list of one */
	} };

	sem_init(&later.told, 0, 0);
	engine_wait_later(engine, &later.waiter, sequence);
	sem_wait(&later.told);
	sem_destroy(&later.told);
	return later.result;
}

static int wait_somehow(struct writer *w, uint64_t sequence)
{
	struct oid head;

	switch (rand_r(&w->seed) % 16) {
	case 0:
		return engine_publish(engine, w->branch, sequence, &head);
	case 1:
		return engine_publish_all(engine);
	case 2:
		return engine_is_published(engine, w->branch, sequence, &head)
			? 0 : -EAGAIN;
	case 3:
		return -EAGAIN;		/* nobody waits */
	case 4:
	case 5:
	case 6:
	case 7:
		return wait_later(sequence);
	default:
		return engine_wait(engine, sequence);
	}
}

static void *write_all(void *argument)
{
	struct writer *w = argument;

	for (int i = 0; i < CUTS; i++) {
		struct engine_stats stats;
		uint64_t sequence;

		if (cut_one(w, &sequence) < 0)
			break;
		w->asked++;
		if (wait_somehow(w, sequence) == 0)
			w->acknowledged = w->asked;
		engine_state(engine, w->branch, NULL);
		engine_get_stats(engine, &stats);
	}
	return NULL;
}

/* ---- trouble ---- */

static void *trouble(void *argument)
{
	unsigned int seed = *(unsigned int *)argument;

	while (!is_over) {
		int error = rand_r(&seed) % 2 ? -ENOSPC : 0;

		switch (rand_r(&seed) % 4) {
		case 0:
			disk_fail(&disk, error, 0);
			break;
		case 1:
			set_error(&fake.table_error, error);
			break;
		case 2:
			set_error(&fake.pin_error, error);
			break;
		default:
			set_error(&fake.update_error, error ? -EBUSY : 0);
		}
		usleep(500 + rand_r(&seed) % 3000);
	}
	return NULL;
}

static void fail_all(int error)
{
	SCOPED_LOCK(&fake.lock);

	fake.table_error = fake.pin_error = fake.update_error = error;
	disk_fail(&disk, error, error);
}

/* ---- a round ---- */

static int count_of(const struct writer *w)
{
	char name[16];
	struct oid oid;
	size_t size;
	char *text;
	int count;

	snprintf(name, sizeof(name), "file%u", w->number);
	oid = file_of(w->branch, name);
	if (oid_is_zero(&oid))
		return 0;
	assert_int_equal(odb_read(odb, &oid, OBJECT_BLOB, (void **)&text,
				  &size), 0);
	count = atoi(text);
	free(text);
	return count;
}

static void check_counts(void)
{
	for (int i = 0; i < THREADS; i++) {
		struct writer *w = &writers[i];
		int count = count_of(w);

		assert_in_range(count, w->acknowledged, w->asked);
		w->acknowledged = w->asked = count;
	}
}

static void run_threads(unsigned int seed, bool stop)
{
	pthread_t troubled;

	is_over = false;
	assert_int_equal(pthread_create(&troubled, NULL, trouble, &seed), 0);
	for (unsigned int i = 0; i < THREADS; i++) {
		struct writer *w = &writers[i];

		w->number = i;
		w->seed = seed * 100 + i;
		w->branch = branches[i % BRANCHES];
		assert_int_equal(pthread_create(&w->thread, NULL, write_all, w),
				 0);
	}
	if (stop) {
		usleep(10000 + seed * 3001 % 40000);
		is_over = true;
		pthread_join(troubled, NULL);
		fail_all(-EIO);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(writers[i].thread, NULL);
	is_over = true;
	if (!stop)
		pthread_join(troubled, NULL);
}

static void run_round(unsigned int seed)
{
	bool stop = seed % 2;

	open_it();
	run_threads(seed, stop);
	if (!stop) {
		fail_all(0);
		assert_int_equal(engine_publish_all(engine), 0);
		check_counts();
		close_engine();
	}
	engine_free(engine);
	engine = NULL;
	fail_all(0);
	disk_lose(&disk);
	open_it();
	check_counts();
	close_engine();
}

static void threads_lose_nothing(void **state)
{
	const char *wanted = getenv("IRMINFS_ROUNDS");
	unsigned int rounds = wanted ? atoi(wanted) : ROUNDS_DEFAULT;

	open_it();
	for (int i = 0; i < BRANCHES; i++)
		branches[i] = make((char[]){ 'a' + i, 0 });
	close_engine();
	for (unsigned int seed = 1; seed <= rounds; seed++)
		run_round(seed);
}

static int set_up_all(void **state)
{
	struct pool_options options = {
		.block_budget = 1 << 20, .blob_budget = 1 << 20,
		.dir_fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	};

	if (set_up(state) < 0)
		return -1;
	disk_init(&disk);
	options.odb = odb;
	return pool_new(&options, &pool);
}

static int tear_down_all(void **state)
{
	engine_free(engine);
	engine = NULL;
	pool_free(pool);
	disk_release(&disk);
	return tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(threads_lose_nothing,
						set_up_all, tear_down_all),
	};

	return cmocka_run_group_tests_name("engine_threads", tests, NULL, NULL);
}
