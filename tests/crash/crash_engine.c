/* SPDX-License-Identifier: ISC */
#include "tests/test.h"
#include "tests/crash/stopping.h"
#include "store/engine.h"
#include "store/tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* One script of cuts, stopped at each of its effects in turn.  An undisturbed
 * run notes what the store looks like after each cut; what a restart finds must
 * be one of these, not before the last cut that was acknowledged: so nothing
 * acknowledged is lost and no cut is there by half.  A second restart must find
 * the same, some first restarts are stopped themselves, refs and HEAD must agree
 * with the table, and (each fifth time) `git fsck --strict` be content.
 *
 * Some stops are followed by `git gc --prune=now`.  It may take a cut that was
 * not acknowledged, of which no ref knew yet, but nothing else. */

#define CUTS_MOST 64
#define CHECK_EVERY 5		/* stops between runs of git fsck */
#define COLLECT_EVERY 10	/* stops between runs of git gc */

static char top[64];

/* ---- a store under test ---- */

struct trial {
	char path[96];
	struct git_repo *repo;
	struct machine *machine;
	struct engine *engine;
	unsigned int submitted;		/* cuts */
	_Atomic unsigned int acknowledged;	/* cuts that are safe */
	uint64_t sequence;
	bool over;			/* something failed: the script ends */
	char **states;			/* to be noted after each cut, or NULL */
};

static void fixed_clock(struct timespec *ret_now)
{
	*ret_now = (struct timespec){ .tv_sec = 1700000000 };
}

static int open_store(struct trial *t, unsigned int stop_at)
{
	struct engine_options options = { .clock = fixed_clock };
	int r = git_repo_open(t->path, true, &t->repo, NULL);

	assert_int_equal(r, 0);
	t->machine = machine_new(t->repo, stop_at);
	assert_non_null(t->machine);
	options.repo = t->repo;
	options.odb = machine_odb(t->machine);
	options.storage = machine_storage(t->machine);
	t->engine = NULL;
	return engine_open(&options, &t->engine, NULL);
}

static void close_store(struct trial *t)
{
	engine_free(t->engine);
	machine_free(t->machine);
	git_repo_free(t->repo);
}

/* ---- what a store looks like ---- */

/* The table without what refs were last seen as, and HEAD. */
static char *describe(struct trial *t)
{
	static const struct oid none;
	struct buffer b = { 0 };
	struct table *table;
	char *head = NULL;

	assert_int_equal(engine_table(t->engine, &table), 0);
	table->next_incarnation = 1000;
	for (size_t i = 0; i < table->branch_count; i++)
		table->branches[i].outside = none;
	while (table->gone_count)
		table_remove_gone(table, &table->gone[0]);
	free(table->head_from);
	free(table->head_to);
	table->head_from = table->head_to = NULL;
	assert_int_equal(table_encode(table, &b), 0);
	table_free(table);
	assert_int_equal(git_head_read(t->repo, &head), 0);
	assert_int_equal(buffer_printf(&b, "HEAD %s\n", head), 0);
	free(head);
	return b.data;
}

static int count_ref(void *context, const char *name, const struct oid *oid,
		     const struct oid *peeled)
{
	++*(size_t *)context;
	return 0;
}

/* Refs are the live branches and nothing else. */
static void check_refs(struct trial *t)
{
	struct table *table;
	size_t refs = 0, live = 0;

	assert_int_equal(engine_table(t->engine, &table), 0);
	for (size_t i = 0; i < table->branch_count; i++) {
		const struct table_branch *b = &table->branches[i];
		char name[128];
		struct oid oid;

		if (b->dropped)
			continue;
		live++;
		snprintf(name, sizeof(name), "refs/heads/%s", b->name);
		assert_int_equal(git_ref_read(t->repo, name, &oid), 0);
		assert_true(oid_equal(&oid, &b->head));
	}
	table_free(table);
	assert_int_equal(git_refs_each(t->repo, "refs/heads/", count_ref,
				       &refs), 0);
	assert_int_equal(refs, live);
}

/* Every object that the table names can be read. */
static void check_objects(struct trial *t)
{
	struct odb *odb = git_repo_odb(t->repo);
	enum object_type type;
	struct table *table;

	assert_int_equal(engine_table(t->engine, &table), 0);
	for (size_t i = 0; i < table->branch_count; i++) {
		struct commit *commit;
		struct tree *tree;

		assert_int_equal(commit_read(odb, &table->branches[i].head,
					     &commit), 0);
		assert_int_equal(tree_read(odb, &commit->tree, &tree), 0);
		for (size_t j = 0; j < tree->count; j++)
			assert_int_equal(odb_read_header(odb,
				&tree->entries[j].oid, &type, NULL), 0);
		tree_free(tree);
		commit_free(commit);
	}
	for (size_t i = 0; i < table->report_count; i++)
		assert_int_equal(odb_read_header(odb,
			&table->reports[i]->conflicts[0].merged.oid, &type,
			NULL), 0);
	table_free(table);
}

/* Says what git said only if it failed: that there is no branch yet, or that
 * objects dangle, is what stops leave. */
static void git(const char *path, const char *first, const char *second)
{
	const char *const words[] = { "git", "-C", path, first, second,
				      NULL };
	posix_spawn_file_actions_t actions;
	char said[128];
	int status;
	pid_t pid;

	snprintf(said, sizeof(said), "%s/said", top);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, said,
					 O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	assert_int_equal(posix_spawnp(&pid, "git", &actions, NULL,
				      (char *const *)words, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0) {
		scoped_buffer struct buffer text = { 0 };

		read_file(AT_FDCWD, said, 65536, &text);
		print_error("git %s: %s", first, text.data ? text.data : "");
		fail();
	}
}

/* ---- the script ---- */

static struct commit *author_of(const struct oid *parent)
{
	struct commit *commit = calloc(1, sizeof(*commit));

	assert_non_null(commit);
	assert_int_equal(signature_init(&commit->author, "A", "a@b", 1600000000,
					0), 0);
	assert_int_equal(signature_init(&commit->committer, "A", "a@b",
					1600000000, 0), 0);
	commit->message = strdup("message\n");
	if (parent) {
		commit->parents = malloc(sizeof(*parent));
		assert_non_null(commit->parents);
		*commit->parents = *parent;
		commit->parent_count = 1;
	}
	return commit;
}

static struct record plain(enum record_kind kind, uint64_t branch,
			   uint64_t from, const char *name)
{
	struct record record = { .kind = kind, .branch = branch, .from = from };

	record.name = name ? strdup(name) : NULL;
	if (kind == RECORD_MAKE)
		record.commit = author_of(NULL);
	return record;
}

/* A new commit with text in the file dir/NAME; its blob is written as merges
 * write theirs, before the cut. */
static struct record change(struct trial *t, uint64_t branch, const char *name,
			    const char *text, const struct oid *parent)
{
	struct record record = plain(RECORD_COMMIT, branch, 0, NULL);
	struct delta_entry *dir;

	record.commit = author_of(parent);
	record.delta = delta_new(false);
	dir = delta_add(record.delta, DELTA_DIRECTORY, MODE_TREE, "dir");
	dir->directory = delta_new(false);
	delta_add(record.delta, DELTA_OBJECT, MODE_FILE, name);
	delta_add(dir->directory, DELTA_OBJECT, MODE_FILE, name);
	if (odb_write(machine_odb(t->machine), OBJECT_BLOB, text, strlen(text),
		      &record.delta->entries[1].oid) < 0)
		t->over = true;
	dir = &record.delta->entries[0];
	dir->directory->entries[0].oid = record.delta->entries[1].oid;
	return record;
}

static struct record conflict(struct trial *t, uint64_t source, uint64_t target,
			      const struct oid *ours, const struct oid *theirs)
{
	struct record record = plain(RECORD_CONFLICTS, source, target, NULL);
	struct conflict_report *report = conflict_report_new();
	struct conflict *c = conflict_report_add(report);

	report->target_name = strdup("main");
	report->ours = *ours;
	report->theirs = *theirs;
	c->path = strdup("a");
	c->reason = strdup("both sides changed it");
	c->merged.mode = MODE_FILE;
	if (odb_write(machine_odb(t->machine), OBJECT_BLOB, "<<<<\n", 5,
		      &c->merged.oid) < 0)
		t->over = true;
	record.conflicts = report;
	return record;
}

/* What is told after a stop, is told by a machine that is not there any more. */
static void note_published(void *context, struct cut *cut)
{
	struct trial *t = context;

	if (!machine_has_stopped(t->machine))
		t->acknowledged = cut->sequence;
}

/* Queues one cut; after a failure it only frees it. */
static void submit(struct trial *t, const struct record *records, size_t count)
{
	struct cut *cut = cut_new(count);

	assert_non_null(cut);
	memcpy(cut->records, records, count * sizeof(*records));
	cut->published = note_published;
	cut->context = t;
	if (t->over) {
		cut_free(cut);
		return;
	}
	if (engine_cut(t->engine, cut, &t->sequence) < 0)
		t->over = true;
	else
		t->submitted++;
}

static void acknowledge(struct trial *t)
{
	if (t->over)
		return;
	if (engine_wait(t->engine, t->sequence) < 0)
		t->over = true;
	else
		assert_true(machine_has_stopped(t->machine) ||
			    t->acknowledged == t->sequence);
}

/* One cut, acknowledged; its looks are noted in an undisturbed run. */
static void cut(struct trial *t, const struct record *records, size_t count)
{
	submit(t, records, count);
	/* in bursts too, the looks after each cut are wanted */
	if (t->states) {
		acknowledge(t);
		t->states[t->submitted] = describe(t);
	}
}

#define CUT(t, ...) do { \
		const struct record records_[] = { __VA_ARGS__ }; \
		cut(t, records_, sizeof(records_) / sizeof(records_[0])); \
		acknowledge(t); \
	} while (0)

/* Not waited for: joins what comes next. */
#define BURST(t, ...) do { \
		const struct record records_[] = { __VA_ARGS__ }; \
		cut(t, records_, sizeof(records_) / sizeof(records_[0])); \
	} while (0)

static struct oid head_of(struct trial *t, uint64_t branch)
{
	struct oid oid = { { 0 } };

	if (!t->over && engine_publish(t->engine, branch, t->sequence, &oid) < 0)
		t->over = true;
	return oid;
}

static void change_branches(struct trial *t, uint64_t main, uint64_t work)
{
	struct oid theirs;

	CUT(t, plain(RECORD_MAKE, main, 0, "main"));
	CUT(t, change(t, main, "a", "1", NULL));
	CUT(t, plain(RECORD_FORK, work, main, "work"));
	BURST(t, change(t, work, "b", "2", NULL));
	BURST(t, change(t, main, "a", "2", NULL));
	CUT(t, change(t, work, "b", "3", NULL));
	CUT(t, change(t, main, "a", "3", NULL), change(t, work, "b", "4", NULL));
	CUT(t, plain(RECORD_SWAP, main, work, NULL));
	theirs = head_of(t, work);
	/* a merge that takes its source with it */
	CUT(t, change(t, main, "c", "5", &theirs),
	    plain(RECORD_DROP, work, 0, NULL),
	    plain(RECORD_EXPIRE, work, 0, NULL));
	/* onto the name that was free for a moment */
	CUT(t, plain(RECORD_RENAME, main, 0, "main"));
}

static void change_names(struct trial *t, uint64_t main, uint64_t dev,
			 uint64_t third)
{
	struct oid first, ours, theirs;
	struct record back = plain(RECORD_MOVE, main, 0, NULL);

	first = head_of(t, main);
	CUT(t, plain(RECORD_FORK, dev, main, "dev"),
	    change(t, dev, "d", "6", NULL));
	BURST(t, change(t, main, "a", "7", NULL));
	CUT(t, change(t, dev, "a", "8", NULL));
	ours = head_of(t, main);
	theirs = head_of(t, dev);
	CUT(t, conflict(t, dev, main, &ours, &theirs));
	CUT(t, plain(RECORD_RENAME, main, 0, "trunk"),
	    plain(RECORD_FORK, third, main, "main"));
	CUT(t, plain(RECORD_DROP, dev, 0, NULL));
	CUT(t, plain(RECORD_RESTORE, dev, 0, "back"));
	CUT(t, plain(RECORD_RENAME, dev, 0, "back/deep"));
	BURST(t, plain(RECORD_RENAME, dev, 0, "back"));
	CUT(t, plain(RECORD_CONFLICTS, dev, main, NULL));
	back.oid = first;
	CUT(t, back);
	CUT(t, plain(RECORD_DROP, dev, 0, NULL),
	    plain(RECORD_RENAME, third, 0, "back"));
	CUT(t, plain(RECORD_DROP, third, 0, NULL));
	CUT(t, plain(RECORD_EXPIRE, dev, 0, NULL));
}

static void run_script(struct trial *t)
{
	uint64_t branches[4];

	/* the same numbers whatever happens to the cuts */
	for (int i = 0; i < 4; i++)
		branches[i] = engine_new_incarnation(t->engine);
	if (t->states)
		t->states[0] = describe(t);
	change_branches(t, branches[0], branches[1]);
	change_names(t, branches[0], branches[2], branches[3]);
}

/* ---- trials ---- */

static void trial_init(struct trial *t, const char *name)
{
	*t = (struct trial){ 0 };
	snprintf(t->path, sizeof(t->path), "%s/%s", top, name);
}

static int remove_entry(const char *path, const struct stat *st, int kind,
			struct FTW *at)
{
	return remove(path);
}

static void remove_folder(const char *path)
{
	nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Which of the noted states it is. */
static void check_state(struct trial *t, char **states, const char *state)
{
	for (unsigned int i = t->acknowledged; i <= t->submitted; i++)
		if (strcmp(states[i], state) == 0)
			return;
	print_error("after a stop between cut %u and %u:\n%swhere %swas "
		    "expected\n", t->acknowledged, t->submitted, state,
		    states[t->acknowledged]);
	fail();
}

static char *restart(struct trial *t)
{
	char *state;

	assert_int_equal(open_store(t, 0), 0);
	check_refs(t);
	check_objects(t);
	state = describe(t);
	assert_int_equal(engine_close(t->engine), 0);
	close_store(t);
	return state;
}

static void check_alive(struct trial *t)
{
	uint64_t branch;

	t->over = false;
	assert_int_equal(open_store(t, 0), 0);
	branch = engine_new_incarnation(t->engine);
	submit(t, (struct record[]){
		plain(RECORD_MAKE, branch, 0, "alive") }, 1);
	submit(t, (struct record[]){ change(t, branch, "z", "9", NULL) }, 1);
	acknowledge(t);
	assert_false(t->over);
	check_refs(t);
	assert_int_equal(engine_close(t->engine), 0);
	close_store(t);
}

/* Runs the script and stops it there.  Returns whether it was stopped. */
static bool stop_at(unsigned int point, char **states)
{
	bool collect = point % COLLECT_EVERY == 0, stopped;
	struct trial t;
	char *first, *second;

	trial_init(&t, "trial");
	if (open_store(&t, point) == 0)
		run_script(&t);
	stopped = machine_has_stopped(t.machine);
	close_store(&t);
	if (collect)
		git(t.path, "gc", "--prune=now");
	if (point % 3 == 0) {
		/* a restart that is stopped as well */
		open_store(&t, 1 + point / 3 % 8);
		close_store(&t);
	}
	first = restart(&t);
	if (!collect || t.acknowledged == t.submitted)
		check_state(&t, states, first);
	if (point % CHECK_EVERY == 0)
		git(t.path, "fsck", "--strict");
	second = restart(&t);
	assert_string_equal(first, second);
	check_alive(&t);
	free(first);
	free(second);
	remove_folder(t.path);
	return stopped;
}

static void note_states(char **states)
{
	struct trial t;

	trial_init(&t, "reference");
	t.states = states;
	assert_int_equal(open_store(&t, 0), 0);
	run_script(&t);
	assert_false(t.over);
	assert_int_equal(engine_close(t.engine), 0);
	/* HEAD followed its branch */
	assert_non_null(strstr(states[t.submitted], "HEAD trunk\n"));
	print_message("# %u cuts, %u effects\n", t.submitted,
		      machine_steps(t.machine));
	close_store(&t);
	remove_folder(t.path);
}

static void no_stop_loses_or_tears_anything(void **state)
{
	char *states[CUTS_MOST] = { NULL };
	unsigned int points = 0;

	note_states(states);
	while (stop_at(points + 1, states))
		points++;
	print_message("# %u crash points\n", points);
	assert_true(points > 100);
	for (int i = 0; i < CUTS_MOST; i++)
		free(states[i]);
}

/* ---- surroundings ---- */

static void no_log(enum log_level level, const char *text)
{
}

static int set_up(void **state)
{
	/* memory is enough: a stopped machine loses nothing that was flushed */
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	snprintf(top, sizeof(top), "%s/irminfs-crash-XXXXXX", base);
	log_set_sink(no_log, LOG_LEVEL_ERROR);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state)
{
	remove_folder(top);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_stop_loses_or_tears_anything),
	};

	return cmocka_run_group_tests_name("crash engine", tests, set_up,
					   tear_down);
}
