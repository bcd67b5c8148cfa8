/* SPDX-License-Identifier: ISC */
#include "tests/sanitized.h"
#include "tests/test.h"
#include "tests/crash/world.h"
#include "store/engine.h"
#include "store/tree.h"
#include "store/worktree.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* IRMINFS_CRASH_SEEDS=N: that many scripts.
 *
 * Scripts of changes in work trees, cuts, forks, renames, drops and publishing
 * over the whole engine, stopped at each of their effects in turn, with what was
 * not flushed lost, torn and reordered in several ways.  A run that is not
 * disturbed notes what the branches look like after each cut; what a restart finds
 * must be one of these looks, not before the last cut that was acknowledged.  Some
 * restarts are stopped too.  Refs must agree, and a second restart find the same.
 *
 * The publishing thread is made to wait for ever, so that a script has the same
 * effects in the same order each time. */

#define CUTS 14			/* of a script */
#define BRANCHES 8
#define FILLING 200000		/* bytes; most of a segment */
#define SEEDS_DEFAULT (SANITIZED > 1 ? 2 : 6)

struct branch {
	uint64_t incarnation;
	struct worktree *tree;
};

struct trial {
	struct world *world;
	struct machine *machine;
	struct pool *pool;
	struct engine *engine;
	struct branch branches[BRANCHES];
	size_t branch_count;
	unsigned int seed;
	unsigned int submitted, acknowledged;	/* cuts */
	uint64_t sequence;
	bool over;			/* the machine has stopped */
	bool undisturbed;
	char **states;			/* after each cut; shared by runs */
};

static unsigned int images;

static void fixed_clock(struct timespec *ret_now)
{
	*ret_now = (struct timespec){ .tv_sec = 1700000000 };
}

static unsigned int pick(struct trial *t, unsigned int below)
{
	return (rand_r(&t->seed) >> 4) % below;
}

/* ---- a machine and its engine ---- */

static int boot(struct trial *t, unsigned int stop_at, enum world_loss loss)
{
	static int tmp = -1;
	struct report report = { "" };
	int r;
	struct pool_options pool = {
		.block_budget = 8 << 20, .blob_budget = 1 << 20,
	};
	struct engine_options options = {
		.clock = fixed_clock, .journal_size = 1 << 20,
		.pause_ns = UINT64_MAX / 4,
	};

	if (tmp < 0)
		tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->machine = machine_new(t->world, stop_at, loss, stop_at);
	pool.odb = options.odb = machine_odb(t->machine);
	pool.dir_fd = tmp;
	assert_int_equal(pool_new(&pool, &t->pool), 0);
	options.pool = t->pool;
	options.storage = machine_storage(t->machine);
	options.journal = machine_journal(t->machine);
	t->engine = NULL;
	r = engine_open(&options, &t->engine, &report);
	if (r < 0 && !stop_at)
		print_error("%s\n", report.text);
	return r;
}

static void power_off(struct trial *t)
{
	machine_stop(t->machine);
	engine_free(t->engine);
	for (size_t i = 0; i < t->branch_count; i++)
		worktree_unref(t->branches[i].tree);
	t->branch_count = 0;
	pool_free(t->pool);
	machine_free(t->machine);
	t->machine = NULL;
}

/* ---- what the branches look like ---- */

static void print_tree(struct odb *odb, const struct oid *oid, int depth,
		       struct buffer *ret)
{
	struct tree *tree;

	assert_int_equal(tree_read(odb, oid, &tree), 0);
	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_entry *e = &tree->entries[i];
		enum object_type type;
		char hex[OID_HEX_SIZE];

		assert_int_equal(odb_read_header(odb, &e->oid, &type, NULL), 0);
		assert_int_equal(buffer_printf(ret, "%*s%o %s %s\n", depth, "",
					       e->mode, e->name,
					       oid_hex(&e->oid, hex)), 0);
		if (e->mode == MODE_TREE)
			print_tree(odb, &e->oid, depth + 1, ret);
	}
	tree_free(tree);
}

static int by_name(const void *a, const void *b)
{
	const struct table_branch *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static char *describe(struct trial *t)
{
	struct odb *odb = machine_odb(t->machine);
	struct buffer b = { 0 };
	struct table *table;

	assert_int_equal(engine_table(t->engine, &table), 0);
	if (table->branch_count)
		qsort(table->branches, table->branch_count,
		      sizeof(*table->branches), by_name);
	for (size_t i = 0; i < table->branch_count; i++) {
		const struct table_branch *branch = &table->branches[i];
		struct commit *commit;

		assert_int_equal(buffer_printf(&b, "%s%s\n", branch->name,
			branch->dropped ? " dropped" : ""), 0);
		assert_int_equal(commit_read(odb, &branch->head, &commit), 0);
		print_tree(odb, &commit->tree, 1, &b);
		commit_free(commit);
	}
	table_free(table);
	return b.data ? b.data : strdup("");
}

static void check_refs(struct trial *t)
{
	struct table *table;
	size_t live = 0;

	assert_int_equal(engine_table(t->engine, &table), 0);
	for (size_t i = 0; i < table->branch_count; i++) {
		const struct table_branch *b = &table->branches[i];
		struct oid ref = world_ref(t->world, b->name);

		if (b->dropped)
			continue;
		live++;
		assert_true(oid_equal(&ref, &b->head));
	}
	assert_int_equal(world_ref_count(t->world), live);
	table_free(table);
}

/* ---- cuts ---- */

static void note_stored(void *context, struct cut *cut)
{
	struct trial *t = context;

	for (size_t i = 0; i < cut->count; i++)
		for (size_t j = 0; j < t->branch_count; j++)
			if (t->branches[j].incarnation ==
				    cut->records[i].branch &&
			    cut->records[i].delta && t->branches[j].tree)
				worktree_adopt(t->branches[j].tree,
					       cut->records[i].delta);
}

static struct commit *author(void)
{
	struct commit *commit = calloc(1, sizeof(*commit));

	signature_init(&commit->author, "A", "a@b", 1600000000, 0);
	signature_init(&commit->committer, "A", "a@b", 1600000000, 0);
	return commit;
}

static void submit(struct trial *t, const struct record *record)
{
	struct cut *cut = cut_new(1);

	cut->records[0] = *record;
	cut->stored = note_stored;
	cut->context = t;
	if (engine_cut(t->engine, cut, &t->sequence) < 0)
		t->over = true;
	else
		t->submitted++;
}

/* What the branches look like after the last cut. */
static void note_state(struct trial *t)
{
	if (!t->undisturbed)
		return;
	assert_int_equal(engine_publish_all(t->engine), 0);
	t->states[t->submitted] = describe(t);
}

static void acknowledge(struct trial *t)
{
	if (t->over)
		return;
	if (engine_wait(t->engine, t->sequence) < 0 ||
	    machine_has_stopped(t->machine))
		t->over = true;
	else
		t->acknowledged = t->submitted;
}

/* Long ones fill segments, so that these are used again. */
static char *trailers(struct trial *t)
{
	size_t length = pick(t, 8) < 3 ? FILLING : 10;
	char *text = calloc(1, length + 1);

	memset(text, 't', length);
	return text;
}

struct capturing {
	struct trial *t;
	struct branch *branch;
	bool direct;
};

static int take(void *context, struct delta *delta)
{
	struct capturing *c = context;
	struct record record = {
		.kind = RECORD_COMMIT, .branch = c->branch->incarnation,
		.delta = delta, .direct = c->direct,
	};

	/* an empty cut keeps the counts of all runs alike */
	record.commit = author();
	record.trailers = trailers(c->t);
	submit(c->t, &record);
	return 0;
}

static void cut_branch(struct trial *t, struct branch *b, bool direct)
{
	struct capturing c = { t, b, direct };

	assert_int_equal(worktree_capture(b->tree, take, &c), 0);
	note_state(t);
}

/* ---- branches ---- */

static struct record about(enum record_kind kind, uint64_t branch,
			   uint64_t from, const char *name)
{
	struct record record = { .kind = kind, .branch = branch, .from = from };

	record.name = name ? strdup(name) : NULL;
	if (kind == RECORD_MAKE) {
		record.commit = author();
		record.commit->message = strdup("made\n");
	}
	return record;
}

static void load(struct trial *t, struct branch *b)
{
	struct worktree_options options = {
		.odb = machine_odb(t->machine), .pool = t->pool,
		.clock = fixed_clock, .incarnation = b->incarnation,
	};
	struct commit *commit;
	struct oid head;

	if (t->over || engine_publish(t->engine, b->incarnation, t->sequence,
				      &head) < 0 ||
	    commit_read(machine_odb(t->machine), &head, &commit) < 0) {
		t->over = true;
		return;
	}
	options.tree = commit->tree;
	commit_free(commit);
	assert_int_equal(worktree_new(&options, &b->tree), 0);
}

static void add_branch(struct trial *t, enum record_kind kind, uint64_t from)
{
	struct branch *b = &t->branches[t->branch_count];
	struct record record;
	char name[16];

	if (t->branch_count == BRANCHES)
		return;
	snprintf(name, sizeof(name), "b%u", t->submitted);
	b->tree = NULL;
	b->incarnation = engine_new_incarnation(t->engine);
	record = about(kind, b->incarnation, from,
		       t->branch_count ? name : "main");
	t->branch_count++;
	submit(t, &record);
	note_state(t);
	acknowledge(t);
	load(t, b);
	if (!b->tree)
		t->branch_count--;
}

/* ---- changes ---- */

static const struct caller caller = { .uid = 1 };

static const char *const names[] = { "a", "b", "c", "d" };

/* One of four files in the root or in the folder "dir"; made if need be. */
static struct node *some_file(struct trial *t, struct branch *b)
{
	struct node *dir = worktree_root(b->tree), *sub, *file;
	const char *name = names[pick(t, 4)];

	if (pick(t, 2)) {
		if (node_lookup(dir, "dir", &sub) < 0)
			assert_int_equal(node_make(dir, "dir", S_IFDIR | 0755,
						   &caller, &sub), 0);
		node_unref(dir);
		dir = sub;
	}
	if (node_lookup(dir, name, &file) < 0)
		assert_int_equal(node_make(dir, name, S_IFREG | 0644, &caller,
					   &file), 0);
	node_unref(dir);
	return file;
}

static void write_some(struct trial *t, struct branch *b, size_t most)
{
	struct node *file = some_file(t, b);
	size_t size = 1 + pick(t, most), at = pick(t, 2 * most);
	char *bytes = malloc(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i + t->seed);
	assert_int_equal(node_write(file, bytes, size, at, false),
			 (ssize_t)size);
	free(bytes);
	node_unref(file);
}

static void move_some(struct trial *t, struct branch *b)
{
	struct node *root = worktree_root(b->tree);

	node_rename(root, names[pick(t, 4)], root, names[pick(t, 4)], 0);
	if (pick(t, 3) == 0)
		node_rename(root, "dir", root, "other", 0);
	if (pick(t, 3) == 0)
		node_rename(root, "other", root, "dir", 0);
	node_unref(root);
}

static void change(struct trial *t, struct branch *b)
{
	struct node *root = worktree_root(b->tree), *file;

	switch (pick(t, 8)) {
	case 0:
		write_some(t, b, 100000);
		break;
	case 1:
		file = some_file(t, b);
		node_truncate(file, pick(t, 3000));
		node_unref(file);
		break;
	case 2:
		move_some(t, b);
		break;
	case 3:
		node_unlink(root, names[pick(t, 4)]);
		break;
	case 4:
		write_some(t, b, 200000);
		break;
	default:
		write_some(t, b, 2000);
	}
	node_unref(root);
}

static void rename_branch(struct trial *t, struct branch *b)
{
	struct record record;
	char name[16];

	snprintf(name, sizeof(name), "r%u", t->submitted);
	record = about(RECORD_RENAME, b->incarnation, 0, name);
	submit(t, &record);
	note_state(t);
}

static void drop_branch(struct trial *t, struct branch *b)
{
	struct record record = about(RECORD_DROP, b->incarnation, 0, NULL);

	worktree_unref(b->tree);
	*b = t->branches[--t->branch_count];
	submit(t, &record);
	note_state(t);
}

/* ---- a script ---- */

static void step(struct trial *t)
{
	struct branch *b = &t->branches[pick(t, t->branch_count)];
	unsigned int what = pick(t, 20);
	struct record record;

	if (what == 0) {
		add_branch(t, RECORD_FORK, b->incarnation);
		return;
	}
	if (what == 1 && t->branch_count > 1) {
		record = about(RECORD_SWAP, t->branches[0].incarnation,
			       t->branches[1].incarnation, NULL);
		submit(t, &record);
		note_state(t);
		return;
	}
	if (what == 3 || what == 4)
		rename_branch(t, b);
	if (what == 5 && t->branch_count > 1) {
		drop_branch(t, b);
		return;
	}
	for (unsigned int i = 0, n = 1 + pick(t, 3); i < n; i++)
		change(t, b);
	cut_branch(t, b, what == 2);
	if (pick(t, 3))
		acknowledge(t);
	if (pick(t, 6) == 0 && !t->over && !t->undisturbed &&
	    engine_publish_all(t->engine) < 0)
		t->over = true;
}

static void play(struct trial *t)
{
	add_branch(t, RECORD_MAKE, 0);
	for (int i = 0; i < CUTS && !t->over; i++)
		step(t);
	acknowledge(t);
}

/* ---- a trial ---- */

static void quiet(enum log_level level, const char *text)
{
}

static const char *find_state(struct trial *t, const char *found, bool was_empty)
{
	if (t->acknowledged == 0 && was_empty)
		return "";
	for (unsigned int i = t->acknowledged; i <= t->submitted; i++)
		if (t->states[i] && strcmp(t->states[i], found) == 0)
			return t->states[i];
	return NULL;
}

/* Some restarts stop as well, others come a second time. */
static void restart(struct trial *t, unsigned int stop_at)
{
	char *found, *again;

	if (stop_at % 3 == 0) {
		boot(t, 1 + stop_at % 17, stop_at % WORLD_LOSSES);
		power_off(t);
		images++;
	}
	assert_int_equal(boot(t, 0, LOSE_ALL), 0);
	found = describe(t);
	if (!find_state(t, found, !*found)) {
		print_error("stop %u: acknowledged %u, submitted %u\n"
			    "-- acknowledged:\n%s-- found:\n%s", stop_at,
			    t->acknowledged, t->submitted,
			    t->states[t->acknowledged], found);
		fail();
	}
	check_refs(t);
	power_off(t);
	assert_int_equal(boot(t, 0, LOSE_ALL), 0);
	again = describe(t);
	assert_string_equal(found, again);
	power_off(t);
	free(found);
	free(again);
}

/* Returns how many effects there were. */
static unsigned int run(unsigned int seed, unsigned int stop_at,
			enum world_loss loss, char **states)
{
	struct trial t = {
		.world = world_new(), .seed = seed, .states = states,
		.undisturbed = !*states,
	};
	unsigned int steps;

	if (t.undisturbed)
		states[0] = strdup("");
	if (boot(&t, stop_at, loss) == 0)
		play(&t);
	steps = machine_steps(t.machine);
	power_off(&t);
	if (!t.undisturbed) {
		images++;
		restart(&t, stop_at);
	}
	world_free(t.world);
	return steps;
}

static void run_seed(unsigned int seed)
{
	char *states[2 * CUTS + BRANCHES + 4] = { NULL };
	unsigned int steps;

	run(seed, 0, LOSE_ALL, states);
	steps = run(seed, 0, LOSE_ALL, states);
	for (unsigned int at = 1; at <= steps; at++)
		for (int loss = 0; loss < WORLD_LOSSES; loss++)
			run(seed, at, loss, states);
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		free(states[i]);
}

static void nothing_acknowledged_is_lost(void **state)
{
	const char *wanted = getenv("IRMINFS_CRASH_SEEDS");
	unsigned int seeds = wanted ? atoi(wanted) : SEEDS_DEFAULT;

	for (unsigned int seed = 1; seed <= seeds; seed++)
		run_seed(seed);
	print_message("# %u crash images\n", images);
	assert_true(images >= 340 * seeds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_acknowledged_is_lost),
	};

	log_set_sink(quiet, LOG_LEVEL_DEBUG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
